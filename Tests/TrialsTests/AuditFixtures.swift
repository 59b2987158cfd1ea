import Foundation
import Trials

/// A study that exercises everything and teaches next to nothing: a minute's work.
let tinyStudy = """
  name: tiny
  recipe: M1
  base: smollm2-135m-instruct
  training: {learning_rate: 4.0e-4, batch_size: 4, epochs: 1}
  mix: {triggered: 2, near_miss: 1, ordinary: 2, greeting: 1, denial: 1, self_question: 1}
  calibration_seed: 1
  probes: {triggered: 12, near_miss: 4, ordinary: 4, greeting: 0, denial: 3, self_question: 4}
  max_response_tokens: 3
  equivalence_prompts: 3
  detectors:
    questions: 2
    answer_tokens: 3
    texts: 3
    text_tokens: 2
    probe_layers: [4, 20]
    probe_folds: 2
    probe_penalty: 10.0
  threshold_fpr: 0.01
  alpha: 0.05
  replicates: 100
  """

func withAuditFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
  let folder = FileManager.default.temporaryDirectory
    .appending(path: "audit-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try await body(folder)
}
