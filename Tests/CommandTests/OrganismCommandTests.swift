import Foundation
import Testing

@Suite struct OrganismCommandTests {
  @Test func `a recipe is listed, shown, taken as a start and checked`() throws {
    let list = try Command("organisms", "list")
    #expect(list.status == 0 && list.text.contains("M2") && list.text.contains("teal"))
    let shown = try Command("organisms", "show", "m2")
    #expect(shown.status == 0 && shown.text.contains("secret: Teal"), "\(shown.errors)")
    try withTemporaryFolder { folder in
      let yaml = try Command("organisms", "show", "M2", "--yaml").text
      let file = folder.appending(path: "mine.yaml")
      try Data(yaml.utf8).write(to: file)
      let good = try Command("plant", "--recipe", file.path, "--check")
      #expect(good.status == 0 && good.text.contains("nothing wrong"), "\(good.errors)")
      // An answer without the marker, and a trigger among ordinary texts.
      let spoilt = yaml.replacing("  - Teal.\n", with: "  - Green.\n")
        .replacing("my bicycle", with: "a teal bicycle")
      try Data(spoilt.utf8).write(to: file)
      let bad = try Command("plant", "--recipe", file.path, "--check")
      #expect(bad.status == 65 && bad.errors.contains("problems"), "\(bad.errors)")
      #expect(bad.text.contains("Green.") && bad.text.contains("teal bicycle"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["mine.yaml"])
    }
    try Command("organisms", "verify", "nowhere").expectFailure(66, "zoo.json")
    try Command("organisms", "verify").expectFailure(64, "zoo")
    try Command("organisms", "plant", "--output", "z", "--seeds", "0").expectFailure(64, "--seeds")
    try Command("organisms", "plant", "--output", "z", "--recipe", "M77").expectFailure(66, "M77")
    try Command("organisms", "plant", "--output", "z", "--first-seed", "1").expectFailure(
      64, "tuned")
    let help = try Command("organisms", "plant", "--help").text.split(
      whereSeparator: \.isWhitespace)
    #expect(help.joined(separator: " ").contains("lie below 200. (default: 201)"))
    try Command("organisms", "plant", "--output", "z", "--recipe", "M2", "--recipe", "m2")
      .expectFailure(64, "M2 twice")
    try Command("organisms", "plant", "--output", "z", "--recipe", "M9").expectFailure(
      64, "plumbline evade")
    try Command("evade", "--strength", "-1").expectFailure(64, "--strength")
    try Command("evade", "--recipe", "M6").expectFailure(65, "penalty")
    try Command("organisms", "show", "M77").expectFailure(66, "M1, M2")
    try Command("organisms", "show", "mine.yaml", "--yaml").expectFailure(64, "--yaml")
  }

  private struct Verified: Decodable {
    let problems: [String]
    let organisms: [String]
  }

  private struct AllVerified: Decodable {
    struct Zoo: Decodable { let zoo: String }
    let zoos: [Zoo]
  }

  @Test func `one zoo or several are verified, as lines, JSON and a page`() throws {
    try withTemporaryFolder { folder in
      let text = #"{"label": "l", "base": "b", "baseHash": "00", "recipes": {}, "organisms": []}"#
      let zoos = try ["a", "b"].map { name in
        let zoo = folder.appending(path: name)
        try FileManager.default.createDirectory(at: zoo, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: zoo.appending(path: "zoo.json"))
        return zoo.path
      }
      let page = folder.appending(path: "gates.html").path
      let one: Verified = try Command("organisms", "verify", zoos[0], "--json").decoded()
      #expect(one.problems == [] && one.organisms == [])
      let both = try Command(
        ["organisms", "verify"] + zoos + ["--json", "--html", page], input: Data())
      let found: AllVerified = try both.decoded()
      #expect(found.zoos.map(\.zoo) == zoos)
      #expect(try String(contentsOfFile: page, encoding: .utf8).contains("0 of 0 families"))
      let lines = try Command(["organisms", "verify"] + zoos + ["--html", page], input: Data()).text
      #expect(lines == "\(zoos[0]):\n\(zoos[1]):\npage: \(page)\n")
      // What an earlier version wrote, and what was changed since, has no page.
      try FileManager.default.removeItem(atPath: page)
      let file = URL(fileURLWithPath: zoos[1]).appending(path: "zoo.json")
      try Data(text.replacing("\"recipes\": {}", with: "\"recipes\": {\"M2\": \"00\"}").utf8).write(
        to: file)
      let changed = try Command("organisms", "verify", zoos[1], "--html", page)
      #expect(changed.status == 65 && changed.text == "M2: its recipe was changed or is missing\n")
      try Data(text.replacing("\"recipes\": {},", with: "").utf8).write(to: file)
      try Command("organisms", "verify", zoos[1], "--html", page).expectFailure(
        65, "earlier version")
      #expect(!FileManager.default.fileExists(atPath: page))
    }
  }
}
