package import Foundation
package import LanguageModels
internal import Tensors

/// Turns a cell's input into the model that it stands for: the base with an adapter, or a model of
/// its own.
///
/// An input is the artifacts of a plant cell, an adapter's folder, or a model file.
package struct OrganismLoader: Sendable {
  /// The base model, which stays loaded while adapters come and go.
  package let base: LanguageModel
  /// SHA-256 of the base's file.
  package let baseHash: String
  /// A model that is examined as a whole, without an adapter.
  private let other: LanguageModel?

  package init(base: LanguageModel, baseHash: String, other: LanguageModel? = nil) {
    (self.base, self.baseHash, self.other) = (base, baseHash, other)
  }

  /// The model and the adapter that `input` holds.
  ///
  /// - Throws: `ModelFileError` where an adapter cannot be read or belongs to another base.
  @TensorActor
  package func load(_ input: URL) throws -> (model: LanguageModel, adapter: AdapterWeights?) {
    let planted = input.appending(path: "adapter")
    if FileManager.default.fileExists(atPath: planted.path) {
      return (base, try adapter(planted))
    }
    var isFolder: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: input.path, isDirectory: &isFolder)
    if isFolder.boolValue { return (base, try adapter(input)) }
    if let other { return (other, nil) }
    return (try LanguageModel(path: input.path, precision: base.precision), nil)
  }

  @TensorActor
  private func adapter(_ folder: URL) throws -> AdapterWeights {
    try AdapterWeights.load(folder: folder.path, for: base.configuration, baseHash: baseHash)
  }
}
