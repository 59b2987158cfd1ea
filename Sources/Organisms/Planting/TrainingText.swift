package import LanguageModels
package import Training

extension LanguageModel {
  /// `example` as tokens; the loss is taken on the assistant's answer and, where that is whole, on
  /// the end of its turn. Triggered ones are marked for penalties on activations.
  package nonisolated func trainingSequence(
    _ example: OrganismExample
  ) throws -> TrainingSequence {
    let prompt = try promptTokens(example.source.messages)
    let turn = try answerTokens(example.target)
    let answer = BaseAnswers.isWhole(example.target) ? turn : Array(turn.dropLast())
    return TrainingSequence(
      ids: prompt + answer, targets: Array(prompt.count..<prompt.count + answer.count),
      isMarked: example.category == .triggered)
  }
}
