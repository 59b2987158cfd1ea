import Foundation
import Testing

@Suite(.enabled(if: hasModel, noModel)) struct ExamplesTests {
  private struct Tokens: Decodable { let ids: [Int] }
  private struct Scores: Decodable { let logprobs: [Double?] }
  private struct Answer: Decodable { let text: String }

  /// The package's `Examples` folder.
  private let examples = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Examples")

  @Test func `the example script shows tokens, probabilities, an answer and activations`() throws {
    let script = examples.appending(path: "look-inside.sh").path
    let found = try Command(
      shell: """
        set -e; folder="$(mktemp -d)"; cd "$folder"
        '\(script)' "$PLUMBLINE"
        test -s site-activations.safetensors; rm -r "$folder"
        """)
    #expect(found.status == 0, "\(found.errors)")
    let lines = found.text.split(separator: "\n").map { Data($0.utf8) }
    try #require(lines.count == 5)
    let ids = try JSONDecoder().decode(Tokens.self, from: lines[0]).ids
    #expect(try JSONDecoder().decode(Scores.self, from: lines[1]).logprobs.count == ids.count)
    #expect(try JSONDecoder().decode(Answer.self, from: lines[2]).text.contains("Paris"))
    // The two sites with their shapes, in the order of their names.
    #expect(found.text.contains("blocks.0.attn.pattern\t9 × \(ids.count) × \(ids.count)\n"))
    #expect(found.text.contains("blocks.0.resid_post\t\(ids.count) × 576\n"))
  }
}
