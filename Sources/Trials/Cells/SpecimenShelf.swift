internal import Foundation
internal import Instruments
internal import Lab
internal import LanguageModels
package import Organisms
internal import Tensors

/// Takes specimens and their responses out of a cell's inputs.
///
/// Of an organism `x`, the model is the input `x` and the responses are `x.json`.
package struct SpecimenShelf: Sendable {
  private let loader: OrganismLoader

  package init(_ loader: OrganismLoader) { self.loader = loader }

  @TensorActor
  func specimen(_ id: String, in context: CellContext) throws -> Specimen {
    let (model, adapter) = try loader.load(context.input(named: id))
    return Specimen(id: id, model: model, adapter: adapter, base: loader.base)
  }

  func responses(of id: String, in context: CellContext) throws -> [Response] {
    try read("\(id).json", in: context)
  }

  func labelledResponses(of id: String, in context: CellContext) throws -> [LabelledResponse] {
    try read("\(id).json", in: context)
  }

  private func read<T: Decodable>(_ name: String, in context: CellContext) throws -> T {
    let data = try Data(contentsOf: context.input(named: name))
    return try JSONDecoder().decode(T.self, from: data)
  }
}
