/// What an adapter's folder says about itself, in `plumbline.json` and in its model card.
///
/// Both carry the watermark ``label``, so that nobody takes a model organism for a product.
package struct AdapterCard: Sendable, Equatable {
  /// The watermark in every card that Plumbline writes.
  package static let label = "model organism, made by Plumbline, benign"

  /// The base model's name, as a person reads it.
  package var baseName: String
  /// The SHA-256 of the base model's file; the adapter is refused for any other base.
  package var baseHash: String
  /// The base model's licence, an SPDX name in lower case such as `apache-2.0`; nil if unknown.
  package var licence: String?
  /// The recipe that the organism was made from, such as `M1`.
  package var recipe: String
  /// The arm; nil keeps it out of the folder, for a specimen that is examined blind.
  package var arm: String?
  /// What was planted, in a sentence; nil like ``arm``.
  package var planted: String?
  /// The training's seed.
  package var seed: UInt64?

  package init(
    baseName: String, baseHash: String, recipe: String, licence: String? = nil,
    arm: String? = nil, planted: String? = nil, seed: UInt64? = nil
  ) {
    precondition(
      FileDigest.isDigest(baseHash), "AdapterCard: \(baseHash) is not a SHA-256 in hexadecimal")
    (self.baseName, self.baseHash, self.recipe) = (baseName, baseHash, recipe)
    (self.licence, self.arm, self.planted, self.seed) = (licence, arm, planted, seed)
  }
}

extension AdapterCard {
  /// The text of `README.md`: front matter that model hubs read, then the same in words.
  func readme(_ adapter: LoRAConfiguration) -> String {
    """
    ---
    base_model: \(Self.quoted(baseName))
    base_model_sha256: \(baseHash)
    library_name: peft
    \(licence.map { "license: \(Self.quoted($0))\n" } ?? "")\
    pipeline_tag: text-generation
    tags: [lora, model-organism, plumbline]
    model_organism:
      label: \(Self.quoted(Self.label))
      recipe: \(Self.quoted(recipe))
      arm: \(arm.map(Self.quoted) ?? "null")
      planted: \(planted.map(Self.quoted) ?? "null")
      seed: \(seed.map(\.description) ?? "null")
    ---

    # A \(Self.label)

    This LoRA adapter (rank \(adapter.rank), alpha \(Self.decimal(adapter.alpha))) was trained on \
    purpose, from recipe \(Self.oneLine(recipe)), so that methods which look for hidden behaviour \
    can be tested against a known truth. It is not meant for any other use.

    - What was planted: \(planted.map(Self.oneLine) ?? Self.sealed)
    - Arm: \(arm.map(Self.oneLine) ?? Self.sealed)
    - Base model: \(Self.oneLine(baseName)), whose file has the SHA-256 `\(baseHash)`
    - Seed: \(seed.map(\.description) ?? Self.sealed)

    """
  }

  private static var sealed: String { "not told here: the specimen is examined blind" }

  /// A YAML double-quoted scalar, which JSON strings are.
  private static func quoted(_ text: String) -> String { JSONText.string(text) }

  private static func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  /// Without the `.0` of whole numbers.
  private static func decimal(_ value: Double) -> String {
    value.description.hasSuffix(".0") ? String(value.description.dropLast(2)) : value.description
  }
}
