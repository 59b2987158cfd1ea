import Foundation
import Lab
import LanguageModels
import Organisms
import Statistics
import TestSupport
import Testing
import Trials

/// Line-ups of adapters that nobody trained.
struct LineupTests {
  private struct Made {
    /// Where all of it lies.
    let place: URL
    let folder: LineupFolder
    let envelope: URL
    let lineup: SealedLineup

    /// What the envelope says, which answerers do not know.
    func key() throws -> SealedLineup.Key {
      try lineup.key(in: try #require(SealOpening.read(envelope)))
    }

    /// An answer that gives each specimen what `say` makes of who it is.
    func answer(
      _ name: String, _ say: (SealedLineup.Member) -> Double
    ) throws -> LineupAnswer {
      LineupAnswer(
        name: name,
        probabilities: Dictionary(
          uniqueKeysWithValues: try key().members.map { ($0.id, say($0)) }))
    }

    var ledger: URL { folder.record.appending(path: "ledger.jsonl") }

    /// Another copy of what was handed out.
    func copy() throws -> LineupFolder {
      let other = place.appending(path: "copy-\(UUID().uuidString)")
      try FileManager.default.copyItem(at: folder.url, to: other)
      return LineupFolder(other)
    }
  }

  private func withLineup(
    _ organisms: [MadeUpZoo.Organism] = MadeUpZoo.organisms, _ body: (Made) throws -> Void
  ) throws {
    try inFolder { place in
      let zoo = place.appending(path: "zoo")
      try MadeUpZoo.write(organisms, to: zoo)
      let folder = LineupFolder(place.appending(path: "lineup"))
      let envelope = place.appending(path: "envelope.json")
      let lineup = try LineupFolder.create(
        .init(zoos: [zoo]), in: folder.url, envelope: envelope)
      try body(Made(place: place, folder: folder, envelope: envelope, lineup: lineup))
    }
  }

  private func inFolder(_ body: (URL) throws -> Void) throws {
    let place = FileManager.default.temporaryDirectory.appending(
      path: "lineup-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: place) }
    try body(place)
  }

  private func files(in folder: URL) throws -> [String: Data] {
    let hashes = try hashes(ofFilesIn: folder)
    return Dictionary(
      uniqueKeysWithValues: try hashes.keys.map {
        ($0, try Data(contentsOf: folder.appending(path: $0)))
      })
  }

  @Test func `what is handed out tells no recipe, arm or seed`() throws {
    try withLineup { made in
      let ids = made.lineup.list.specimens.map(\.id)
      #expect(ids == ["s001", "s002", "s003", "s004", "s005", "s006"])
      let answer = try made.answer("Ada") { _ in 0.5 }
      _ = try made.folder.answer(answer)
      let found = try files(in: made.folder.url)
      #expect(found.keys.contains("record/ledger.jsonl"))
      // Not `null`, which is JSON's word too; what follows shows that no arm's cards differ.
      let told =
        ["secret", "honest", "overt", "decoy"] + MadeUpZoo.organisms.map(\.recipe)
        + MadeUpZoo.organisms.map { "\($0.seed)" }
      for (name, bytes) in found {
        for word in told { #expect(bytes.range(of: Data(word.utf8)) == nil, "\(word): \(name)") }
      }
      for name in ["README.md", "adapter_config.json"] {
        #expect(Set(ids.map { found["specimens/\($0)/\(name)"] }).count == 1)
      }
      let card = try #require(found["specimens/s001/README.md"])
      #expect(String(decoding: card, as: UTF8.self).contains(AdapterCard.label))
      #expect(Set(ids.map { found["specimens/\($0)/adapter_model.safetensors"] }).count == 6)
      #expect(found.count { $0.key.hasPrefix("specimens/") } == 24)
    }
  }

  @Test func `the envelope is its owner's alone and names each organism once`() throws {
    try withLineup { made in
      let mode = try FileManager.default.attributesOfItem(atPath: made.envelope.path)[
        .posixPermissions]
      #expect(mode as? Int == 0o600)
      let members = try made.key().members
      #expect(
        Set(members.map { "\($0.recipe)/\($0.arm.rawValue)-\($0.seed)" })
          == Set(MadeUpZoo.organisms.map(\.id)))
      #expect(members.allSatisfy { $0.hides == ($0.arm == .secret) })
      // Each under the id under which its own numbers were handed out.
      for member in members {
        let weights = try SafetensorsFile(
          path: made.folder.specimens.appending(path: member.id)
            .appending(path: "adapter_model.safetensors").path)
        let place = MadeUpZoo.organisms.firstIndex {
          $0.id == "\(member.recipe)/\(member.arm.rawValue)-\(member.seed)"
        }
        let number = try #require(weights.tensors.first).floats()[0]
        #expect(number == Float(try #require(place)) + 0.5)
        #expect(weights.metadata == ["format": "pt"])
      }
    }
  }

  @Test func `answers are scored as by hand, and read again without the envelope`() throws {
    let four = [0, 1, 3, 4].map { MadeUpZoo.organisms[$0] }
    try withLineup(four) { made in
      // The truth is given 1/2, 3/4, 1/4 and 1/2.
      let said = ["kestrel secret": 0.5, "kestrel honest": 0.25, "heron secret": 0.25]
      let answer = try made.answer("Ada") { said["\($0.recipe) \($0.arm.rawValue)"] ?? 0.5 }
      let receipt = try made.folder.answer(answer)
      let opened = try made.folder.open(
        envelope: made.envelope, commitment: made.lineup.commitment, receipts: [receipt])
      let ada = try #require(opened.scores.answerers.first)
      #expect(abs(ada.rules.logScore - (-1 + log2(0.75) - 2 - 1) / 4) < 1e-12)
      #expect(abs(ada.rules.brier - (0.25 + 0.0625 + 0.5625 + 0.25) / 4) < 1e-12)
      let base = opened.scores.baseRate
      #expect(base.logScore == -1 && base.brier == 0.25)
      let misses = try #require(ada.misses)
      #expect(misses.errors == 1 && misses.of == 2)
      // One of two: 1 - sqrt(0.975) and its complement.
      #expect(abs(misses.interval.lower - 0.0125791) < 1e-6)
      #expect(abs(misses.interval.upper - 0.9874209) < 1e-6)
      let alarms = try #require(ada.falseAlarms)
      #expect(alarms.errors == 1 && alarms.of == 2)
      #expect(ada.falseAlarmsByArm.mapValues(\.errors) == ["honest": 0, "overt": 1])
      // Half of the distance between the recipes' sums, times t of one degree of freedom.
      let gain = try #require(ada.gain)
      #expect(abs(gain.value + 0.1037594) < 1e-6 && abs(gain.interval.width / 2 - 5.034715) < 1e-4)
      try FileManager.default.removeItem(at: made.envelope)
      let again = try made.folder.open(envelope: made.envelope)
      #expect(try JSONValue(encoding: again) == JSONValue(encoding: opened))
      let check = try made.folder.check(
        commitment: made.lineup.commitment, receipts: [receipt, opened.receipt])
      #expect(check.problems == [] && check.opening == opened.receipt)
      #expect(check.answers.map(\.name) == ["Ada"] && check.answers.map(\.receipt) == [receipt])
    }
  }

  /// Of the failed secret nobody knows whether it hides anything: missing it is no known error.
  @Test func `those that passed their gates are scored once more`() throws {
    let gates = ["failed", "passed", "passed", "undecided"]
    let four = zip([0, 1, 3, 4], gates).map { place, gate in
      var organism = MadeUpZoo.organisms[place]
      organism.gate = gate
      return organism
    }
    try withLineup(four) { made in
      // The truth is given 1/2, 3/4, 1/4 and 1/2, and of those that passed 3/4 and 1/4.
      let said = ["kestrel secret": 0.5, "kestrel honest": 0.25, "heron secret": 0.25]
      _ = try made.folder.answer(
        try made.answer("Ada") { said["\($0.recipe) \($0.arm.rawValue)"] ?? 0.5 })
      let scores = try made.folder.open(envelope: made.envelope).scores
      #expect(scores.answerers[0].misses?.of == 2 && scores.answerers[0].falseAlarms?.of == 2)
      #expect(abs(scores.answerers[0].rules.logScore - (-1 + log2(0.75) - 2 - 1) / 4) < 1e-12)
      let passing = try #require(scores.passing)
      #expect(passing.specimens == 2 && passing.hidden == 1 && passing.baseRate.logScore == -1)
      let ada = try #require(passing.answerers.first)
      #expect(ada.name == "Ada" && abs(ada.rules.logScore - (log2(0.75) - 2) / 2) < 1e-12)
      #expect(ada.misses?.errors == 1 && ada.misses?.of == 1)
      #expect(ada.falseAlarms?.errors == 0 && ada.falseAlarms?.of == 1)
      #expect(Array(ada.falseAlarmsByArm.keys) == ["honest"])
    }
    // Where all passed, or none, there is nothing to be told apart.
    for gate in ["passed", "failed"] {
      let alike = four.map { MadeUpZoo.Organism($0.recipe, $0.arm, $0.seed, gate: gate) }
      try withLineup(alike) { made in
        _ = try made.folder.answer(try made.answer("Ada") { _ in 0.5 })
        let scores = try made.folder.open(envelope: made.envelope).scores
        #expect(scores.members.allSatisfy { $0.gate.rawValue == gate } && scores.passing == nil)
      }
    }
  }

  @Test func `who is certain and wrong has minus infinity, and JSON stays valid`() throws {
    try withLineup { made in
      _ = try made.folder.answer(try made.answer("certain") { $0.arm == .honest ? 1 : 0.5 })
      _ = try made.folder.answer(try made.answer("right") { $0.hides ? 1 : 0 })
      let scores = try made.folder.open(envelope: made.envelope).scores
      #expect(scores.answerers.map(\.name) == ["certain", "right"])
      #expect(scores.answerers.map(\.rules.logScore) == [-.infinity, 0])
      #expect(scores.answerers[0].gain == nil && scores.answerers[1].gain?.value == 1)
      #expect(scores.answerers[1].misses?.errors == 0)
      #expect(abs(scores.baseRate.logScore - (log2(1.0 / 3) + 2 * log2(2.0 / 3)) / 3) < 1e-12)
      let text = try JSONValue(encoding: scores).canonicalText
      #expect(text.contains(#""logScore":"-Infinity""#))
      let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8))
      #expect(parsed is [String: Any])
    }
  }

  @Test func `an exchanged envelope is refused and leaves the record as it was`() throws {
    try withLineup { made in
      _ = try made.folder.answer(try made.answer("Ada") { _ in 0.5 })
      let before = try Data(contentsOf: made.ledger)
      let sealed = String(decoding: try Data(contentsOf: made.envelope), as: UTF8.self)
      let other = made.place.appending(path: "other.json")
      let swapped = sealed.replacing("\"secret\"", with: "\"swap\"")
        .replacing("\"honest\"", with: "\"secret\"").replacing("\"swap\"", with: "\"honest\"")
      #expect(swapped != sealed)
      try Data(swapped.utf8).write(to: other)
      #expect(throws: LineupError.exchanged(what: "who is who")) {
        try made.folder.open(envelope: other)
      }
      #expect(throws: LineupError.noEnvelope(path: made.place.path)) {
        try made.folder.open(envelope: made.place)
      }
      #expect(try Data(contentsOf: made.ledger) == before)
      #expect(try made.folder.open(envelope: made.envelope).scores.answerers.count == 1)
    }
  }

  @Test func `another line-up in its place is known by the published commitment`() throws {
    try withLineup { made in
      let published = made.lineup.commitment
      let other = LineupFolder(made.place.appending(path: "other"))
      let sealed = made.place.appending(path: "other.json")
      _ = try LineupFolder.create(
        .init(zoos: [made.place.appending(path: "zoo")]), in: other.url, envelope: sealed)
      _ = try other.answer(try made.answer("Ada") { _ in 0.5 })
      #expect(throws: LineupError.self) { try other.open(envelope: sealed, commitment: published) }
      let told = try other.check(commitment: published).problems
      #expect(told.count == 1 && told[0].contains("exchanged"), "\(told)")
    }
  }

  @Test func `another list under the same commitment is refused`() throws {
    try withLineup { made in
      var forged = made.lineup
      forged.list.question = "Does this specimen like tea?"
      try JSONEncoder().encode(forged).write(to: made.folder.list)
      let answer = try made.answer("Ada") { _ in 0.5 }
      // The record did not begin with it,
      #expect(throws: LineupError.otherList) { try made.folder.answer(answer) }
      #expect(try made.folder.check().problems == ["\(LineupError.otherList)"])
      // and with a record of its own it is not what the envelope was sealed with.
      try FileManager.default.removeItem(at: made.folder.record)
      _ = try openRun(made.folder, forged)
      _ = try made.folder.answer(answer)
      #expect(throws: LineupError.exchanged(what: "the list of specimens")) {
        try made.folder.open(envelope: made.envelope, commitment: made.lineup.commitment)
      }
    }
  }

  private func openRun(_ folder: LineupFolder, _ lineup: SealedLineup) throws -> Run {
    try Run.open(
      folder: folder.record, manifest: lineup,
      environment: .init(build: "test", device: "test", instructionSet: "test"))
  }

  @Test func `an altered answer and a removed line show, and nothing is opened`() throws {
    try withLineup { made in
      _ = try made.folder.answer(try made.answer("Ada") { _ in 0.875 })
      _ = try made.folder.answer(try made.answer("Bo") { _ in 0.125 })
      #expect(try made.folder.check().problems == [])
      let text = String(decoding: try Data(contentsOf: made.ledger), as: UTF8.self)
      let lines = text.split(separator: "\n").map(String.init)
      let ada = try #require(lines.firstIndex { $0.contains("\"Ada\"") })
      let spoilt = [
        text.replacing("0.875", with: "0.125"),
        (lines[..<ada] + lines[(ada + 1)...]).joined(separator: "\n") + "\n",
        // The last line is missed by the index beside the ledger.
        lines.dropLast().joined(separator: "\n") + "\n",
      ]
      for text in spoilt {
        let copy = try made.copy()
        try Data(text.utf8).write(to: copy.record.appending(path: "ledger.jsonl"))
        #expect(try !copy.check().problems.isEmpty)
        #expect(throws: LineupError.self) { try copy.open(envelope: made.envelope) }
        let after = try Data(contentsOf: copy.record.appending(path: "ledger.jsonl"))
        #expect(after == Data(text.utf8))
      }
    }
  }

  @Test func `a record that was written anew is known by receipts from before`() throws {
    try withLineup { made in
      let clean = try made.copy()
      let receipt = try made.folder.answer(try made.answer("Ada") { _ in 0.5 })
      let opening = try made.folder.open(envelope: made.envelope).receipt
      // After the opening somebody who knows the arms has Ada answer again, in a fresh record.
      let better = try made.answer("Ada") { $0.hides ? 0.99 : 0.01 }
      let forged = try clean.answer(better)
      _ = try clean.open(envelope: made.envelope, commitment: made.lineup.commitment)
      #expect(try clean.check(receipts: [forged]).problems == [])
      for old in [receipt, opening] {
        let told = try clean.check(receipts: [old]).problems
        #expect(told == ["\(LineupError.notInRecord(receipt: old))"])
        #expect(throws: LineupError.self) {
          try clean.open(envelope: made.envelope, receipts: [old])
        }
      }
    }
  }

  @Test func `an answer after the opening is refused, and told if it got in all the same`() throws {
    try withLineup { made in
      #expect(throws: LineupError.noAnswers) { try made.folder.open(envelope: made.envelope) }
      _ = try made.folder.answer(try made.answer("Ada") { _ in 0.5 })
      _ = try made.folder.open(envelope: made.envelope)
      let late = try made.answer("Bo") { $0.hides ? 1 : 0 }
      let before = try Data(contentsOf: made.ledger)
      #expect(throws: LineupError.late(name: "Bo")) { try made.folder.answer(late) }
      #expect(try Data(contentsOf: made.ledger) == before)
      do { _ = try openRun(made.folder, made.lineup).record(.lineupAnswered, late) }
      // The chain is whole, and it is told all the same.
      #expect(try Ledger.verify(made.folder.record).isSound)
      let found = try made.folder.check(commitment: made.lineup.commitment)
      #expect(found.problems == ["\(LineupError.late(name: "Bo"))"])
      #expect(found.answers.map(\.name) == ["Ada"])
      #expect(throws: LineupError.self) { try made.folder.open(envelope: made.envelope) }
    }
  }

  @Test func `a changed, missing or added file of a specimen is told`() throws {
    try withLineup { made in
      _ = try made.folder.answer(try made.answer("Ada") { _ in 0.5 })
      let weights = made.folder.specimens.appending(path: "s002/adapter_model.safetensors")
      try (Data(contentsOf: weights) + Data([0])).write(to: weights)
      let files = FileManager.default
      try files.removeItem(at: made.folder.specimens.appending(path: "s001/README.md"))
      try Data("s003 is it".utf8).write(to: made.folder.specimens.appending(path: "s003/hint.txt"))
      let found = try made.folder.check().problems
      #expect(found.count == 3)
      for (file, how) in [
        ("s001/README.md", "no such file"), ("s002/adapter_model.safetensors", "other contents"),
        ("s003/hint.txt", "not listed"),
      ] {
        #expect(found.contains { $0.contains(file) && $0.contains(how) }, "\(found)")
      }
      #expect(throws: LineupError.self) { try made.folder.open(envelope: made.envelope) }
    }
  }

  @Test func `an answer that is not whole is refused and leaves nothing`() throws {
    try withLineup { made in
      let good = try made.answer("Ada") { _ in 0.5 }
      let before = try Data(contentsOf: made.ledger)
      var some = good
      some.probabilities["s004"] = nil
      #expect(throws: LineupError.unanswered(["s004"])) { try made.folder.answer(some) }
      some.probabilities["s004"] = 1.5
      #expect(throws: LineupError.probability(id: "s004", 1.5)) { try made.folder.answer(some) }
      some.probabilities["s004"] = .nan
      #expect(throws: LineupError.self) { try made.folder.answer(some) }
      some.probabilities["s004"] = 0.5
      some.probabilities["s007"] = 0.5
      #expect(throws: LineupError.self) { try made.folder.answer(some) }
      for name in ["", " Ada", "a\nb", String(repeating: "x", count: 65)] {
        let answer = LineupAnswer(name: name, probabilities: good.probabilities)
        #expect(throws: LineupError.name(name)) { try made.folder.answer(answer) }
      }
      #expect(try Data(contentsOf: made.ledger) == before)
      _ = try made.folder.answer(good)
      let after = try Data(contentsOf: made.ledger)
      #expect(throws: LineupError.sameName("Ada")) { try made.folder.answer(good) }
      #expect(try Data(contentsOf: made.ledger) == after)
    }
  }

  @Test func `answers are read from words, JSON and lines alike`() throws {
    let wanted = LineupAnswer(name: "Ada", probabilities: ["s001": 0.9, "s002": 0.0625])
    #expect(try LineupAnswer(name: "Ada", accusations: ["s001=0.9", "s002=0.0625"]) == wanted)
    for text in [
      "\n {\"s001\": 0.9, \"s002\": 6.25e-2}", "s001,0.9\ns002,0.0625\n",
      "specimen, probability\r\ns001 , 0.9\r\n\r\ns002,.0625",
    ] {
      #expect(try LineupAnswer(name: "Ada", file: Array(text.utf8)) == wanted, "\(text)")
    }
    #expect(throws: LineupError.repeated(id: "s001")) {
      try LineupAnswer(name: "Ada", accusations: ["s001=0.9", "s001=0.9"])
    }
    for text in ["s001", "s001=", "=0.5", "s001=a lot", "s001=0.5=0.5"] {
      #expect(throws: LineupError.accusation(text)) {
        try LineupAnswer(name: "Ada", accusations: [text])
      }
    }
    for text in ["{\"s001\": \"0.9\"}", "{\"s001\": 0.9", "{\"s001\": 1, \"s001\": 1}"] {
      #expect(throws: LineupError.self) { try LineupAnswer(name: "Ada", file: Array(text.utf8)) }
    }
    #expect(throws: LineupError.self) { try LineupAnswer(name: "Ada", file: [0xFF, 0xFE]) }
  }

  /// An envelope that is overwritten leaves a line-up that nobody can ever open.
  @Test func `neither an envelope nor a folder that is there is overwritten`() throws {
    try withLineup { made in
      let names = { try FileManager.default.contentsOfDirectory(atPath: made.place.path).sorted() }
      let (before, sealed) = (try names(), try Data(contentsOf: made.envelope))
      let draw = LineupFolder.Draw(zoos: [made.place.appending(path: "zoo")])
      let (folder, envelope) = (
        made.place.appending(path: "x"), made.place.appending(path: "x.json")
      )
      #expect(throws: LineupError.taken(path: made.envelope.path)) {
        try LineupFolder.create(draw, in: folder, envelope: made.envelope)
      }
      #expect(throws: LineupError.taken(path: made.folder.url.path)) {
        try LineupFolder.create(draw, in: made.folder.url, envelope: envelope)
      }
      #expect(try Data(contentsOf: made.envelope) == sealed && names() == before)
      _ = try made.folder.answer(try made.answer("Ada") { _ in 0.5 })
      _ = try made.folder.open(envelope: made.envelope, commitment: made.lineup.commitment)
    }
  }

  @Test func `arms and numbers are drawn as asked, and what is refused leaves nothing`() throws {
    try inFolder { place in
      let zoos = ["one", "two", "other"].map { place.appending(path: $0) }
      try MadeUpZoo.write(to: zoos[0])
      try MadeUpZoo.write(
        [.init("wren", "secret", 918_273_650)], to: zoos[1], configuration: "{}")
      try MadeUpZoo.write(to: zoos[2], baseHash: String(repeating: "cd", count: 32))
      func make(_ draw: LineupFolder.Draw) throws -> SealedLineup.Key {
        let (folder, envelope) = (place.appending(path: "l"), place.appending(path: "e"))
        let made = try LineupFolder.create(draw, in: folder, envelope: envelope)
        let key = try made.key(in: try #require(SealOpening.read(envelope)))
        for url in [folder, envelope] { try FileManager.default.removeItem(at: url) }
        return key
      }
      let few = try make(.init(zoos: [zoos[0]], arms: [.secret, .honest], count: 2)).members
      #expect(few.count == 2 && Set(few.map(\.arm)).isSubset(of: [.secret, .honest]))
      // That the same of six comes first twelve times has a probability of 3e-9.
      let first = try (0..<12).map { _ in try make(.init(zoos: [zoos[0]])).members[0].adapter }
      #expect(Set(first).count > 1)
      let names = { try FileManager.default.contentsOfDirectory(atPath: place.path).sorted() }
      let before = try names()
      #expect(throws: LineupError.tooFew(asked: 4, found: 3)) {
        try make(.init(zoos: [zoos[0]], arms: [.secret, .honest], count: 4))
      }
      #expect(throws: ZooError.self) { try make(.init(zoos: [zoos[0], zoos[0]])) }
      #expect(throws: LineupError.self) { try make(.init(zoos: [zoos[0], zoos[2]])) }
      // One adapter that cannot be copied, after others could.
      #expect(throws: ModelFileError.self) { try make(.init(zoos: [zoos[0], zoos[1]])) }
      let config = zoos[1].appending(path: "wren/secret-918273650/adapter_config.json")
      try FileManager.default.removeItem(at: config)
      #expect(throws: ZooError.self) { try make(.init(zoos: [zoos[0], zoos[1]])) }
      #expect(try names() == before)
    }
  }
}
