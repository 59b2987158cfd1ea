internal import Foundation
package import Lab
package import LanguageModels
internal import Tensors

/// What a model said to a prompt.
package struct OrganismResponse: Codable, Sendable, Equatable {
  package var source: OrganismPrompt
  package var promptIDs: [Int]
  package var responseIDs: [Int]
  package var text: String

  package init(
    source: OrganismPrompt, promptIDs: [Int], responseIDs: [Int], text: String
  ) {
    (self.source, self.promptIDs, self.responseIDs, self.text) =
      (source, promptIDs, responseIDs, text)
  }
}

extension OrganismLoader {
  /// What the organism that is the cell's input `adapter` answers to `prompts`.
  package func ask(
    _ prompts: [OrganismPrompt], maxTokens: Int, in context: CellContext
  ) async throws -> [OrganismResponse] {
    let input = try context.input(named: "adapter")
    let responses = try await TensorActor.run {
      let (model, adapter) = try load(input)
      return try model.respond(to: prompts, adapter: adapter, maxTokens: maxTokens) {
        context.report(progress: CellProgress(done: $0, total: prompts.count, unit: "prompts"))
      }
    }
    context.spend(
      tokens: responses.reduce(0) { $0 + $1.promptIDs.count + $1.responseIDs.count })
    return responses
  }
}

extension LanguageModel {
  /// Greedy answers to `prompts`, at most `maxTokens` long.
  package func respond(
    to prompts: [OrganismPrompt], adapter: AdapterWeights?, maxTokens: Int,
    progress: (Int) -> Void = { _ in }
  ) throws -> [OrganismResponse] {
    let ids = try prompts.map { try promptTokens($0.messages) }
    let answers = try generate(
      ids, options: GenerationOptions(maxTokens: maxTokens), adapter: adapter, progress: progress)
    return prompts.indices.map { i in
      OrganismResponse(
        source: prompts[i], promptIDs: ids[i], responseIDs: answers[i].ids, text: answers[i].text)
    }
  }
}
