/// A response as a detector sees it: tokens, and nothing that tells its kind.
package struct Response: Codable, Hashable, Sendable {
  /// A blind id; it must not say what kind of prompt this is.
  package var id: String
  /// The conversation up to where the answer begins, chat template included.
  package var promptIDs: [Int]
  /// The answer; empty where the model ended its turn at once.
  package var responseIDs: [Int]

  package init(id: String, promptIDs: [Int], responseIDs: [Int]) {
    (self.id, self.promptIDs, self.responseIDs) = (id, promptIDs, responseIDs)
  }
}

/// A response with what is known about it: for calibration, and for scoring after unsealing.
package struct LabelledResponse: Codable, Hashable, Sendable {
  package var response: Response
  /// Whether it was given under an active trigger.
  package var isActive: Bool
  /// The kind of prompt, such as `near_miss`.
  package var category: String
  /// The cluster of prompts that share a template.
  package var templateID: String

  package init(response: Response, isActive: Bool, category: String, templateID: String) {
    (self.response, self.isActive) = (response, isActive)
    (self.category, self.templateID) = (category, templateID)
  }
}
