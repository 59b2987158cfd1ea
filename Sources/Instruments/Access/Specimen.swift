package import LanguageModels
package import Tensors

/// A model as handed to an instrument: no name, no arm.
///
/// The model, its adapter and its base are private to this file. What an instrument gets is a view,
/// and a view does what its type declares. Only what joins instruments and organisms makes
/// specimens; instruments never see one.
@TensorActor
package struct Specimen {
  /// The blind id.
  package nonisolated let id: String
  private let subject: Subject
  private let base: Subject
  private let meter = TokenMeter()

  /// A specimen that was trained from `base`, which is `model` without adapter where none is given.
  package init(
    id: String, model: LanguageModel, adapter: AdapterWeights?, base: LanguageModel? = nil
  ) {
    self.id = id
    subject = Subject(model: model, adapter: adapter)
    self.base = Subject(model: base ?? model, adapter: nil)
  }

  /// The specimen as an instrument of declared `Access` sees it.
  package func view<Access: SpecimenAccess>(
    for access: Access.Type = Access.self
  ) -> SpecimenView<Access> {
    SpecimenView(reach: view(declaring: Access.kinds))
  }

  /// The specimen as an instrument sees it whose access is declared at run time, in a study.
  package func view(declaring declared: Set<AccessKind>) -> DeclaredView {
    DeclaredView(
      specimenID: id, declared: declared, subject: subject, baseSubject: base, meter: meter)
  }

  /// Tokens that instruments had this specimen and its base compute so far.
  package var tokensUsed: Int { meter.tokens }
}

/// A model with the adapter that makes it a specimen.
@TensorActor
private struct Subject {
  let model: LanguageModel
  let adapter: AdapterWeights?
}

/// A specimen behind a set of access that is checked at every call.
///
/// For instruments that are put together at run time; one that is a type of its own has a
/// ``SpecimenView``, where the same mistake does not compile.
@TensorActor
package struct DeclaredView {
  /// The blind id.
  package nonisolated let specimenID: String
  package nonisolated let declared: Set<AccessKind>
  private let subject: Subject
  private let baseSubject: Subject
  private let meter: TokenMeter

  fileprivate init(
    specimenID: String, declared: Set<AccessKind>, subject: Subject, baseSubject: Subject,
    meter: TokenMeter
  ) {
    (self.specimenID, self.declared) = (specimenID, declared)
    (self.subject, self.baseSubject, self.meter) = (subject, baseSubject, meter)
  }

  private func require(_ kind: AccessKind) throws(AccessError) {
    guard declared.contains(kind) else {
      throw .undeclared(needed: kind, declared: declared)
    }
  }

  /// Blocks of the model, for naming sites.
  package var layerCount: Int { subject.model.configuration.nLayers }

  /// A user's message as tokens, ready for the answer. Needs no access: it is the base's template.
  package func promptTokens(_ user: String) throws -> [Int] {
    try subject.model.promptTokens(user)
  }

  /// An answer as tokens, the end of its turn included. Needs no access.
  package func answerTokens(_ answer: String) throws -> [Int] {
    try subject.model.answerTokens(answer)
  }

  /// What the specimen answers to prompts; needs `text`.
  ///
  /// - Throws: ``AccessError/undeclared(needed:declared:)``, or what generation throws.
  package func generate(
    _ prompts: [[Int]], options: GenerationOptions
  ) throws -> [Generation] {
    try require(.text)
    let answers = try subject.model.generate(prompts, options: options, adapter: subject.adapter)
    meter.tokens += zip(prompts, answers).reduce(0) { $0 + $1.0.count + $1.1.ids.count }
    return answers
  }

  /// −log p in nats of every token of each response; needs `logits`.
  ///
  /// - Throws: ``AccessError/undeclared(needed:declared:)``, ``DetectorError/notFinite(what:item:)``
  ///   or what the forward pass throws.
  package func negativeLogLikelihoods(of responses: [Response]) throws -> [[Float]] {
    try require(.logits)
    return try subject.model.negativeLogLikelihoods(
      of: responses, adapter: subject.adapter, meter: meter)
  }

  /// Activations at chosen positions of each response; needs `activations`.
  ///
  /// - Throws: ``AccessError``, ``DetectorError/notFinite(what:item:)`` or what the forward pass
  ///   throws.
  package func activations(
    of responses: [Response], at sites: [Site], position: ActivationPosition
  ) throws -> ActivationTable {
    try require(.activations)
    return try subject.model.activations(
      of: responses, at: sites, position: position, adapter: subject.adapter, meter: meter)
  }

  /// The base model, with the same access otherwise; needs `base`.
  ///
  /// - Throws: ``AccessError/undeclared(needed:declared:)``.
  package func base() throws(AccessError) -> DeclaredView {
    try require(.base)
    return DeclaredView(
      specimenID: "base", declared: declared, subject: baseSubject, baseSubject: baseSubject,
      meter: meter)
  }
}

/// A specimen as an instrument of declared `Access` sees it.
@TensorActor
package struct SpecimenView<Access: SpecimenAccess> {
  private let reach: DeclaredView

  fileprivate init(reach: DeclaredView) { self.reach = reach }

  /// The blind id, or `base`.
  package nonisolated var specimenID: String { reach.specimenID }
  /// Blocks of the model, for naming sites.
  package var layerCount: Int { reach.layerCount }

  /// A user's message as tokens, ready for the answer.
  package func promptTokens(_ user: String) throws -> [Int] { try reach.promptTokens(user) }

  /// An answer as tokens, the end of its turn included.
  package func answerTokens(_ answer: String) throws -> [Int] { try reach.answerTokens(answer) }
}

extension SpecimenView where Access: TextAccess {
  /// What the specimen answers to prompts.
  package func generate(_ prompts: [[Int]], options: GenerationOptions) throws -> [Generation] {
    try reach.generate(prompts, options: options)
  }
}

extension SpecimenView where Access: LogitAccess {
  /// −log p in nats of every token of each response.
  package func negativeLogLikelihoods(of responses: [Response]) throws -> [[Float]] {
    try reach.negativeLogLikelihoods(of: responses)
  }
}

extension SpecimenView where Access: ActivationAccess {
  /// Activations at chosen positions of each response.
  package func activations(
    of responses: [Response], at sites: [Site], position: ActivationPosition
  ) throws -> ActivationTable {
    try reach.activations(of: responses, at: sites, position: position)
  }
}

extension SpecimenView where Access: BaseAccess {
  /// The base model, with the same access.
  package func base() throws(AccessError) -> SpecimenView { SpecimenView(reach: try reach.base()) }
}

/// Counts what an examination costs.
@TensorActor
final class TokenMeter {
  var tokens = 0
}
