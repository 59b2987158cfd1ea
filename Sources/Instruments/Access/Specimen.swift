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
  private let stored: StoredReadings?
  private let trusted: [Response]
  private let lens: Lens?
  private let meter = TokenMeter()

  /// A specimen that was trained from `base`, which is `model` without adapter where none is given.
  package init(
    id: String, model: LanguageModel, adapter: AdapterWeights?, base: LanguageModel? = nil
  ) {
    self.id = id
    subject = Subject { (model, adapter) }
    self.base = Subject { (base ?? model, nil) }
    (stored, trusted, lens) = (nil, [], nil)
  }

  /// A specimen that is loaded when first run, of which some activations may have been read already, and whose
  /// streams are read through its base's `lens`, the logit lens where there is none.
  package init(
    id: String, base: LanguageModel, stored: StoredReadings?, trusted: [Response] = [],
    lens: Lens? = nil,
    load: @escaping @TensorActor () throws -> (model: LanguageModel, adapter: AdapterWeights?)
  ) {
    self.id = id
    subject = Subject(load)
    self.base = Subject { (base, nil) }
    (self.stored, self.trusted, self.lens) = (stored, trusted, lens)
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
      specimenID: id, declared: declared, subject: subject, baseSubject: base, stored: stored,
      trusted: trusted, lens: lens, meter: meter)
  }

  /// Tokens that instruments had this specimen and its base compute so far.
  package var tokensUsed: Int { meter.tokens }
  /// Tokens of the exchanges whose activations were kept, and did not have to be computed again.
  package var tokensKept: Int { meter.kept }
}

/// A model with the adapter that makes it a specimen, loaded once.
@TensorActor
private final class Subject {
  private var loaded: (model: LanguageModel, adapter: AdapterWeights?)?
  private let load: @TensorActor () throws -> (model: LanguageModel, adapter: AdapterWeights?)

  nonisolated init(
    _ load: @escaping @TensorActor () throws -> (model: LanguageModel, adapter: AdapterWeights?)
  ) { self.load = load }

  func get() throws -> (model: LanguageModel, adapter: AdapterWeights?) {
    if let loaded { return loaded }
    let found = try load()
    loaded = found
    return found
  }
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
  private let stored: StoredReadings?
  private let trusted: [Response]
  private let lens: Lens?
  private let meter: TokenMeter

  fileprivate init(
    specimenID: String, declared: Set<AccessKind>, subject: Subject, baseSubject: Subject,
    stored: StoredReadings?, trusted: [Response], lens: Lens?, meter: TokenMeter
  ) {
    (self.specimenID, self.declared) = (specimenID, declared)
    (self.stored, self.trusted, self.lens) = (stored, trusted, lens)
    (self.subject, self.baseSubject, self.meter) = (subject, baseSubject, meter)
  }

  private func require(_ kind: AccessKind) throws(AccessError) {
    guard declared.contains(kind) else {
      throw .undeclared(needed: kind, declared: declared)
    }
  }

  /// Blocks of the model, for naming sites.
  package var layerCount: Int {
    get throws { try baseSubject.get().model.configuration.nLayers }
  }

  /// A user's message as tokens, ready for the answer. Needs no access: it is the base's template.
  package func promptTokens(_ user: String) throws -> [Int] {
    try baseSubject.get().model.promptTokens(user)
  }

  /// A conversation as tokens, ready for the answer. Needs no access.
  package func promptTokens(_ messages: [ChatMessage]) throws -> [Int] {
    try baseSubject.get().model.promptTokens(messages)
  }

  /// What stands between the end of an answer and the next one, where the user says `message` in between: the
  /// end of the answer's turn and the user's. Needs no access.
  package func nextTurnTokens(_ message: String) throws -> [Int] {
    let model = try baseSubject.get().model
    let before = [ChatMessage(role: "user", content: "Hi")]
    let answered = before + [ChatMessage(role: "assistant", content: "Yes")]
    let whole = try model.promptTokens(answered + [ChatMessage(role: "user", content: message)])
    let opening =
      try model.promptTokens(before) + model.tokenizer.encode("Yes", parseSpecial: false)
    guard whole.starts(with: opening) else {
      // A template that rewrites earlier turns: the answer is closed, and the user begins anew.
      return try model.answerTokens("") + model.promptTokens(message)
    }
    return Array(whole.dropFirst(opening.count))
  }

  /// Text as tokens, without any template. Needs no access.
  package func encode(_ text: String) throws -> [Int] {
    try baseSubject.get().model.tokenizer.encode(text, parseSpecial: false)
  }

  /// Tokens as text. Needs no access.
  package func decode(_ ids: [Int]) throws -> String {
    try baseSubject.get().model.tokenizer.decode(ids)
  }

  /// An answer as tokens, the end of its turn included. Needs no access.
  package func answerTokens(_ answer: String) throws -> [Int] {
    try baseSubject.get().model.answerTokens(answer)
  }

  /// Tokens of ASCII letters alone, at most with a space before them. Needs no access.
  package func wordTokens() throws -> [Int] {
    let model = try baseSubject.get().model
    let tokenizer = model.tokenizer
    return (0..<min(tokenizer.vocabSize, model.configuration.dVocab)).filter { id in
      let bytes = tokenizer.bytes(id)
      let letters = bytes.first == UInt8(ascii: " ") ? bytes.dropFirst() : bytes
      return !tokenizer.types[id].isSpecial && !letters.isEmpty
        && letters.allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) }
    }
  }

  /// What the specimen answers to prompts; needs `text`.
  ///
  /// - Throws: ``AccessError/undeclared(needed:declared:)``, or what generation throws.
  package func generate(
    _ prompts: [[Int]], options: GenerationOptions
  ) throws -> [Generation] {
    try require(.text)
    let subject = try subject.get()
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
    if let known = stored?.losses(of: responses) {
      meter.keep(responses)
      return known
    }
    let subject = try subject.get()
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
    if let known = try stored?.table(of: responses, at: sites, position: position) {
      meter.keep(responses)
      return known
    }
    let subject = try subject.get()
    return try subject.model.activations(
      of: responses, at: sites, positions: [position], adapter: subject.adapter, meter: meter)[0]
  }

  /// What training added to each linear layer, and the weight that it was added to; needs `weights`.
  ///
  /// - Throws: ``AccessError/undeclared(needed:declared:)``, or what reading weights throws.
  package func forEachWeightChange(
    _ body: (WeightChange) throws -> Void
  ) throws {
    try require(.weights)
    let subject = try subject.get()
    try subject.model.forEachWeightChange(adapter: subject.adapter, body)
  }

  /// KL(specimen ‖ base) in nats of the token after each prompt; needs `logits` and `base`.
  ///
  /// - Returns: One number a prompt.
  /// - Throws: ``AccessError/undeclared(needed:declared:)``, ``DetectorError/notFinite(what:item:)`` or what
  ///   the forward pass throws.
  package func divergences(after prompts: [[Int]]) throws -> [Double] {
    try require(.logits)
    return try pair().divergences(after: prompts)
  }

  /// By how much the mean of ``divergences(after:)`` rises with each entry of the one-hot vectors at some
  /// positions; needs `weights` and `base`.
  ///
  /// - Parameters:
  ///   - prompts: Token ids; all the same up to the end of `positions`, and longer.
  ///   - positions: Where tokens may be exchanged.
  /// - Returns: `[position][token]`; what exchanging one token for another changes is the difference of their
  ///   entries, to first order.
  /// - Throws: ``AccessError/undeclared(needed:declared:)``, ``DetectorError/notFinite(what:item:)`` or what
  ///   the passes throw.
  package func divergenceGradient(
    after prompts: [[Int]], at positions: Range<Int>
  ) throws -> [[Float]] {
    try require(.weights)
    return try pair().divergenceGradient(after: prompts, at: positions)
  }

  private func pair() throws -> ModelPair {
    try require(.base)
    return ModelPair(own: try subject.get(), base: try baseSubject.get(), meter: meter)
  }

  /// log p in nats of some tokens after each prompt, `[prompt][token]`; needs `logits`.
  ///
  /// - Throws: ``AccessError/undeclared(needed:declared:)``, ``DetectorError/notFinite(what:item:)`` or what
  ///   the forward pass throws.
  package func logProbabilities(of tokens: [Int], after prompts: [[Int]]) throws -> [[Float]] {
    try require(.logits)
    let subject = try subject.get()
    return try subject.model.logProbabilities(
      of: tokens, after: prompts, adapter: subject.adapter, meter: meter)
  }

  /// Mean −log p in nats of each response's first tokens as the base's tuned lens reads them after some blocks, or
  /// the logit lens where there is none, `[response][block]`; empty for an empty response. Needs `activations` and
  /// `base`.
  ///
  /// - Throws: ``AccessError/undeclared(needed:declared:)``, ``DetectorError/notFinite(what:item:)`` or what
  ///   the forward pass throws.
  package func lensLosses(
    of responses: [Response], blocks: [Int], tokens: Int
  ) throws -> [[Double]] {
    try require(.activations)
    try require(.base)
    if let known = stored?.lensLosses(of: responses, blocks: blocks, tokens: tokens) {
      meter.keep(responses)
      return known
    }
    let subject = try subject.get()
    return try subject.model.lensLosses(
      of: responses, through: LensReading(blocks: blocks, tokens: tokens, lens: lens),
      adapter: subject.adapter, meter: meter)
  }

  /// Everything that is worth keeping of some exchanges, from one pass over each: activations after some blocks, and
  /// losses; needs `activations`, `logits` and `base`.
  ///
  /// - Throws: As reading each of them does.
  package func readings(
    of responses: [Response], at sites: [Site], positions: [ActivationPosition], blocks: [Int],
    tokens: Int
  ) throws -> (tables: [ActivationTable], losses: StoredReadings.Losses) {
    for kind in [AccessKind.activations, .logits, .base] { try require(kind) }
    let subject = try subject.get()
    let found = try subject.model.readings(
      of: responses, at: sites, positions: positions,
      through: LensReading(blocks: blocks, tokens: tokens, lens: lens), adapter: subject.adapter,
      meter: meter)
    return (
      found.tables,
      StoredReadings.Losses(
        own: found.losses, lens: found.lensLosses, blocks: blocks, tokens: tokens)
    )
  }

  /// Ordinary exchanges of this specimen, known to be harmless; needs `trusted`.
  ///
  /// - Throws: ``AccessError/undeclared(needed:declared:)``.
  package func trustedResponses() throws(AccessError) -> [Response] {
    try require(.trusted)
    return trusted
  }

  /// How far each token of the vocabulary is promoted by a direction of the residual stream, as the base's
  /// unembedding has it, `[direction][token]`; needs `base`.
  ///
  /// - Throws: ``AccessError/undeclared(needed:declared:)``.
  package func promotedTokens(by directions: [[Float]]) throws -> [[Float]] {
    try require(.base)
    let model = try baseSubject.get().model
    return try directions.map { direction in
      let rows = Tensor(direction, shape: [1, direction.count])
      return try model.logits(ofRows: model.finalNorm(rows)).floats()
    }
  }

  /// How much each token's embedding resembles a direction of the residual stream, `[direction][token]`;
  /// needs `base`.
  ///
  /// - Throws: ``AccessError/undeclared(needed:declared:)``.
  package func resembledTokens(by directions: [[Float]]) throws -> [[Float]] {
    try require(.base)
    let model = try baseSubject.get().model
    return try directions.map { direction in
      let rows = Tensor(direction, shape: [1, direction.count])
      return try model.logits(of: model.retrodictions(from: rows, withMoments: false)).floats()
    }
  }

  /// The base model, with the same access otherwise; needs `base`.
  ///
  /// - Throws: ``AccessError/undeclared(needed:declared:)``.
  package func base() throws(AccessError) -> DeclaredView {
    try require(.base)
    return DeclaredView(
      specimenID: "base", declared: declared, subject: baseSubject, baseSubject: baseSubject,
      stored: nil, trusted: [], lens: nil, meter: meter)
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
  package var layerCount: Int { get throws { try reach.layerCount } }

  /// A user's message as tokens, ready for the answer.
  package func promptTokens(_ user: String) throws -> [Int] { try reach.promptTokens(user) }

  /// A conversation as tokens, ready for the answer.
  package func promptTokens(_ messages: [ChatMessage]) throws -> [Int] {
    try reach.promptTokens(messages)
  }

  /// What stands between the end of an answer and the next one, where the user says `message` in between.
  package func nextTurnTokens(_ message: String) throws -> [Int] {
    try reach.nextTurnTokens(message)
  }

  /// Text as tokens, without any template.
  package func encode(_ text: String) throws -> [Int] { try reach.encode(text) }

  /// Tokens as text.
  package func decode(_ ids: [Int]) throws -> String { try reach.decode(ids) }

  /// An answer as tokens, the end of its turn included.
  package func answerTokens(_ answer: String) throws -> [Int] { try reach.answerTokens(answer) }

  /// Tokens of ASCII letters alone, at most with a space before them.
  package func wordTokens() throws -> [Int] { try reach.wordTokens() }
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

extension SpecimenView where Access: LogitAccess {
  /// log p in nats of some tokens after each prompt, `[prompt][token]`.
  package func logProbabilities(of tokens: [Int], after prompts: [[Int]]) throws -> [[Float]] {
    try reach.logProbabilities(of: tokens, after: prompts)
  }
}

extension SpecimenView where Access: LogitAccess & BaseAccess {
  /// KL(specimen ‖ base) in nats of the token after each prompt.
  package func divergences(after prompts: [[Int]]) throws -> [Double] {
    try reach.divergences(after: prompts)
  }
}

extension SpecimenView where Access: WeightAccess & BaseAccess {
  /// By how much the mean of those divergences rises with each one-hot entry at some positions,
  /// `[position][token]`; prompts are the same up to the end of these, and longer.
  package func divergenceGradient(
    after prompts: [[Int]], at positions: Range<Int>
  ) throws -> [[Float]] {
    try reach.divergenceGradient(after: prompts, at: positions)
  }
}

extension SpecimenView where Access: TrustedAccess {
  /// Ordinary exchanges of this specimen, known to be harmless.
  package func trustedResponses() throws(AccessError) -> [Response] { try reach.trustedResponses() }
}

extension SpecimenView where Access: WeightAccess {
  /// What training added to each linear layer, and the weight that it was added to.
  package func forEachWeightChange(_ body: (WeightChange) throws -> Void) throws {
    try reach.forEachWeightChange(body)
  }
}

extension SpecimenView where Access: ActivationAccess & BaseAccess {
  /// Mean −log p in nats of each response's first tokens as the base's tuned lens reads them after some blocks, or
  /// the logit lens where there is none, `[response][block]`; empty for an empty response.
  package func lensLosses(
    of responses: [Response], blocks: [Int], tokens: Int
  ) throws -> [[Double]] {
    try reach.lensLosses(of: responses, blocks: blocks, tokens: tokens)
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

  /// How far each token is promoted by a direction of the residual stream, `[direction][token]`.
  package func promotedTokens(by directions: [[Float]]) throws -> [[Float]] {
    try reach.promotedTokens(by: directions)
  }

  /// How much each token's embedding resembles a direction, `[direction][token]`.
  package func resembledTokens(by directions: [[Float]]) throws -> [[Float]] {
    try reach.resembledTokens(by: directions)
  }
}

/// Counts what an examination costs.
@TensorActor
final class TokenMeter {
  var tokens = 0
  var kept = 0

  /// Counts exchanges that did not have to be computed again.
  func keep(_ responses: [Response]) {
    kept += responses.reduce(0) { $0 + $1.promptIDs.count + $1.responseIDs.count }
  }
}
