import Foundation
import Lab
import Testing

@Suite struct StrictYAMLTests {
  enum Arm: String, Decodable, CaseIterable {
    case secret, honest
  }

  enum Schedule: Decodable, Equatable {
    case constant(rate: Double)
    case cosine(rate: Double, warmup: Int)
  }

  struct Detector: Decodable {
    var name: String
    var threshold: Double?
    var layers: [Int]?
  }

  struct Study: Decodable {
    var title: String
    var seed: UInt64?
    var blind: Bool?
    var arm: Arm?
    var detectors: [Detector]?
    var schedule: Schedule?
    var tags: [String: Int]?
  }

  private func message(_ yaml: String) -> String {
    do {
      _ = try StrictYAML.decode(Study.self, from: yaml, name: "study.yaml")
      return "(decoded)"
    } catch {
      return "\(error)"
    }
  }

  @Test func `a study is read with all its nested parts`() throws {
    let study = try StrictYAML.decode(
      Study.self,
      from: """
        title: First audit   # a comment
        seed: 18446744073709551615
        blind: true
        arm: secret
        detectors:
          - {name: asking}
          - name: probe
            threshold: 5e-1
            layers: [1, 2_0]
        schedule: {cosine: {rate: 1, warmup: 10}}
        tags: {x: 1, y: 2}
        """)
    #expect(study.title == "First audit")
    #expect(study.seed == .max)
    #expect(study.blind == true)
    #expect(study.arm == .secret)
    #expect(study.detectors?.count == 2)
    #expect(study.detectors?[1].threshold == 0.5)
    #expect(study.detectors?[1].layers == [1, 20])
    #expect(study.schedule == .cosine(rate: 1, warmup: 10))
    #expect(study.tags == ["x": 1, "y": 2])
    let bare = try StrictYAML.decode(Study.self, from: "title: x\nseed:\nblind: ~")
    #expect(bare.seed == nil && bare.blind == nil)
  }

  @Test(arguments: [
    ("title: x\nsede: 1", "study.yaml:2: Unknown key `sede` in the document: did you mean `seed`?"),
    (
      "title: x\ndetectors:\n  - name: a\n    treshold: 1",
      "study.yaml:4: Unknown key `treshold` in `detectors[0]`: did you mean `threshold`?"
    ),
    ("tilte: x", "study.yaml:1: Unknown key `tilte` in the document: did you mean `title`?"),
    (
      "title: x\ndetectors: [{name: a, zebra: 1}]",
      "study.yaml:2: Unknown key `zebra` in `detectors[0]`: known keys are `layers`, `name`, "
        + "`threshold`."
    ),
    (
      "title: x\nschedule: {cosine: {rate: 1, warmup: 1, wormup: 2}}",
      "study.yaml:2: Unknown key `wormup` in `schedule.cosine`: did you mean `warmup`?"
    ),
    ("seed: 1", "study.yaml:1: Expected the key `title` in the document, found none: add it."),
    (
      "title: x\ndetectors:\n  - name: a\n    layers: [1, two]",
      "study.yaml:4: Expected a whole number for `detectors[0].layers[1]`, found `two`."
    ),
    ("title: x\nblind: yes", "study.yaml:2: Expected true or false for `blind`, found `yes`."),
    (
      "title: x\nseed: \"5\"",
      "study.yaml:2: Expected a whole number that is not negative for `seed`, found the text \"5\"."
    ),
    (
      "title: x\nseed: -1",
      "study.yaml:2: Expected a whole number that is not negative for `seed`, found `-1`."
    ),
    (
      "title: x\ndetectors: {name: a}",
      "study.yaml:2: Expected a list for `detectors`, found a mapping."
    ),
    ("title: [x]", "study.yaml:1: Expected text for `title`, found a list."),
    (
      "title: x\narm: sercet",
      "study.yaml:2: Expected one of secret, honest for `arm`, found `sercet`: did you mean "
        + "`secret`?"
    ),
    (
      "title: x\ndetectors: [{name: a, threshold: nan}]",
      "study.yaml:2: Expected a number for `detectors[0].threshold`, found `nan`."
    ),
    (
      "title: x\nseed: 1\ntitle: y",
      "study.yaml:1: Expected every key once, found `title` more than once: remove one."
    ),
    (
      "title: x\ntags: {1: 1, \"1\": 2}",
      "study.yaml:2: Expected every key once, found `1` more than once: remove one."
    ),
    ("", "study.yaml: Expected a study, found an empty file: write at least one key."),
    ("- a", "study.yaml:1: Expected a mapping for the document, found a list."),
  ])
  func `a mistake is named with its line and remedy`(yaml: String, expected: String) {
    #expect(message(yaml) == expected)
  }

  @Test(arguments: [
    "title: [", "title: 'x", "a: b: c", "\ttitle: x", "a: *b", "title: x\n---\na: 1",
  ])
  func `broken syntax is one sentence with a line`(yaml: String) {
    let text = message(yaml)
    #expect(text.hasPrefix("study.yaml:") && text.contains("syntax error"))
    #expect(!text.contains("\n"))
  }

  @Test func `aliases work, and bombs of them are refused before they go off`() throws {
    let plain = """
      title: x
      detectors:
        - &first {name: a}
        - *first
      """
    let study = try StrictYAML.decode(Study.self, from: plain)
    #expect(study.detectors?.map(\.name) == ["a", "a"])

    struct Nested: Decodable {
      var text: String?
      var items: [Nested]?
      init(from decoder: any Decoder) throws {
        let single = try decoder.singleValueContainer()
        text = try? single.decode(String.self)
        items = text == nil ? try single.decode([Nested].self) : nil
      }
    }
    func bomb(levels: Int, width: Int) -> String {
      let levels = (1...levels).map { level in
        let items = Array(repeating: level == 1 ? "x" : "*l\(level - 1)", count: width)
        return "- &l\(level) [\(items.joined(separator: ", "))]"
      }
      return levels.joined(separator: "\n")
    }
    for yaml in [bomb(levels: 9, width: 9), bomb(levels: 16, width: 2)] {
      let error = #expect(throws: LabError.self) {
        try StrictYAML.decode(Nested.self, from: yaml)
      }
      #expect("\(String(describing: error))".contains("alias"))
    }
    let asKey = bomb(levels: 9, width: 9) + "\n- ? *l9\n  : 1"
    #expect(throws: LabError.self) { try StrictYAML.decode(Nested.self, from: asKey) }
  }

  @Test(arguments: ["[", "- ", "{a: ", "? "])
  func `nesting without end is refused and does not overflow the stack`(opener: String) {
    let yaml = String(repeating: opener, count: 100_000)
    #expect(throws: LabError.self) { try StrictYAML.decode(Study.self, from: yaml) }
  }

  @Test func `a file is named by its path, and other bytes than text are refused`() async throws {
    try await withTemporaryFolder { folder in
      let file = folder.appending(path: "study.yaml")
      try Data("title: x\nfoo: 1".utf8).write(to: file)
      let error = #expect(throws: LabError.self) { try StrictYAML.decode(Study.self, from: file) }
      #expect("\(String(describing: error))".contains("\(file.path):2: Unknown key `foo`"))
      try Data([0xFF, 0xFE, 0x00]).write(to: file)
      #expect(throws: LabError.self) { try StrictYAML.decode(Study.self, from: file) }
      #expect(throws: LabError.self) {
        try StrictYAML.decode(Study.self, from: folder.appending(path: "missing.yaml"))
      }
    }
  }
}
