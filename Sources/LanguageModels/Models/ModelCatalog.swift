internal import Foundation

/// The models that Plumbline knows by name, and where their files are looked for.
package enum ModelCatalog {
  /// A model that the set-up fetches.
  package struct Entry: Sendable, Codable, Equatable {
    package let name: String
    package let file: String
    package let licence: String
    package let summary: String
  }

  /// The model that is used where none is named.
  package static let defaultName = "smollm2-135m-instruct"

  package static let entries = [
    Entry(
      name: defaultName, file: "SmolLM2-135M-Instruct.Q4_1.gguf", licence: "Apache-2.0",
      summary: "SmolLM2-135M-Instruct, 135 million parameters, GGUF Q4_1")
  ]

  /// The file of a catalogue name, or the path itself where `model` names none.
  ///
  /// - Throws: ``ModelCatalogError`` where a known model is not on this machine, and for a
  ///   ``RemoteModel``, which has no file.
  package static func path(of model: String) throws(ModelCatalogError) -> String {
    guard !RemoteEndpoint.isMeant(by: model) else {
      throw .remote(name: RemoteEndpoint.nameOnly(model))
    }
    guard let entry = entries.first(where: { $0.name == model }) else {
      if model.contains("/") || model.hasSuffix(".gguf") || exists(model) { return model }
      throw .unknown(name: model)
    }
    if let path = location(of: entry) { return path }
    if let locked = folders.first(where: isLocked) { throw .locked(folder: locked) }
    throw .notFetched(entry: entry)
  }

  /// Where the file of `entry` lies, if it is on this machine.
  package static func location(of entry: Entry) -> String? {
    folders.map { $0 + "/" + entry.file }.first(where: exists)
  }

  /// Beside an installed program, or in the checkout that it was built in.
  private static var folders: [String] {
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    var folder = program.deletingLastPathComponent()
    var found = [folder.deletingLastPathComponent().path + "/share/plumbline/models"]
    while folder.path != "/" {
      found.append(folder.path + "/.deps/models")
      folder.deleteLastPathComponent()
    }
    return found + [FileManager.default.currentDirectoryPath + "/.deps/models"]
  }

  /// Whether this user may not look for files in a folder.
  private static func isLocked(_ folder: String) -> Bool {
    access(folder + "/", X_OK) != 0 && errno == EACCES
  }

  private static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path)
  }
}

/// Why a model cannot be found.
package enum ModelCatalogError: Error, Equatable, CustomStringConvertible {
  case unknown(name: String)
  case notFetched(entry: ModelCatalog.Entry)
  case locked(folder: String)
  case remote(name: String)

  package var description: String {
    switch self {
    case .unknown(let name):
      "Expected the model to be "
        + ModelCatalog.entries.map { "`\($0.name)`" }.joined(separator: ", ")
        + ", a GGUF file or a Hugging Face folder, found `\(name.prefix(100))`: no such model or file"
    case .notFetched(let entry):
      "Expected the model \(entry.name) on this machine, found no \(entry.file): "
        + "run `make bootstrap`"
    case .locked(let folder):
      "Expected to look for the model in \(folder), found no permission: open the folder to this "
        + "user, run `make bootstrap` where it is not fetched yet, or name a GGUF file"
    case .remote(let name):
      "Expected access to a model's weights, activations and tokens, found the remote model "
        + "`\(name.prefix(100))`, which gives text and log-probabilities only: name a GGUF file"
    }
  }
}
