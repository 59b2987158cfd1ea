package import Foundation
internal import Organisms
internal import Statistics
internal import Trials

/// The page of a zoo's gates, or of several zoos': who passed, and what kept the others from it.
package struct ZooReport: Sendable {
  let records: [ZooRecord]
  /// What the zoos are called, in the order of ``records``.
  let zoos: [String]
  let families: [ZooPageFamily]

  /// Reads whole zoos.
  ///
  /// - Throws: ``ZooError`` for a folder that is no zoo, was changed or holds no recipes, and for zoos that
  ///   share an organism.
  package init(zoos folders: [URL]) throws {
    records = try folders.map(ZooRecord.init)
    zoos = ZooRecord.names(of: records)
    let isAlone = records.count == 1
    var count = 0
    families = try ZooFamily.all(in: records).map { [zoos] family in
      ZooPageFamily(
        family: family,
        organisms: family.members.map { member in
          count += 1
          let path = "\(member.entry.id)/gate.json"
          return ZooOrganism(
            member: member,
            file: FileRecord(
              id: "gate-\(count)", path: isAlone ? path : "\(zoos[member.zoo])/\(path)",
              hash: member.entry.files["gate.json"] ?? ""))
        })
    }
  }

  var organisms: [ZooOrganism] { families.flatMap(\.organisms) }

  /// The page as one self-contained HTML file.
  ///
  /// - Throws: ``StudioError``.
  package func html() throws -> String {
    try Page(
      title: title, kicker: "Plumbline · zoo", facts: facts,
      verdict: verdict, sections: [who, open, criteria, planted, made],
      sources: .files(organisms.map(\.file)),
      footer: """
        Model organisms, made to test methods that look for hidden behaviour, and benign by construction: hidden \
        behaviour with trained denial, never intent. Intervals are 95 % unless said otherwise, over prompts that \
        were drawn and not over other trainings.
        """
    ).html()
  }

  /// Of many zoos, only how many: their names are in the last section.
  private var title: String {
    zoos.count > 3
      ? "Gates of \(zoos.count) zoos" : "Gates of \(zoos.map(\.unbroken).joined(separator: ", "))"
  }

  private var facts: [(name: String, value: String)] {
    let arms = Arm.allCases.compactMap { arm in
      let count = organisms.count { $0.entry.arm == arm }
      return count > 0 ? "\(count) \(arm.rawValue)" : nil
    }
    return [
      ("Base", Set(records.map(\.base)).sorted().joined(separator: ", ")),
      ("Recipes", families.map(\.family.name).joined(separator: ", ")),
      ("Organisms", arms.joined(separator: ", ")),
      ("Seeds", Self.seeds(organisms.map(\.entry.seed))),
    ]
  }

  static func seeds(_ seeds: [UInt64]) -> String {
    Set(seeds).sorted().map { "\($0)" }.joined(separator: ", ")
  }

  // MARK: Verdict

  private var verdict: Verdict {
    let decisions = families.map(\.family.decision)
    let passing = families.filter { $0.family.decision == .passed }.map(\.family.name)
    let outcome: Verdict.Outcome =
      decisions.contains(.failed)
      ? .failed : decisions.contains(.undecided) || decisions.isEmpty ? .undecided : .passed
    func count(_ decision: GateDecision) -> Int {
      organisms.count { $0.entry.proof.decision == decision }
    }
    let asked = organisms.reduce(0) { $0 + $1.entry.proof.outcomes.count }
    let answer =
      "\(passing.count) of \(families.count) families pass every gate with every secret organism"
      + (passing.isEmpty ? ". " : ": \(passing.joined(separator: ", ")). ")
      + "Of \(organisms.count) organisms \(count(.passed)) passed all of their gates, "
      + "\(count(.failed)) failed at least one, and \(count(.undecided)) \(count(.undecided) == 1 ? "is" : "are") undecided."
    return Verdict(
      outcome, answer: .text(answer),
      limit: """
        Anything about detectors: gates say what is there to be found, and what is not, before any detector looks.
        """,
      moreLimits: [
        """
        Anything about intent: what was planted is hidden behaviour with trained denial.
        """,
        .text(
          "Another training of the same recipe: its seed may come out otherwise. Each of the \(asked) gates that "
            + "were asked was judged for itself, so that a few may have come out wrong by chance."),
      ])
  }

  // MARK: Who passed

  private var who: Section {
    Section(
      id: "organisms", title: "Who passed",
      lede: """
        A family is the organisms of one recipe: secret arms have the behaviour and deny it, honest ones saw the \
        same prompts without it, null ones are honest ones of other seeds, overt ones have it and admit it, decoys \
        have a disclosed quirk.
        """
    ) {
      familyTable
      matrix
    }
  }

  private var familyTable: Node {
    let arms = Arm.allCases.filter { arm in organisms.contains { $0.entry.arm == arm } }
    return DataTable(
      caption: "Organisms that passed every gate they were asked, of each arm.",
      columns: [.init("Recipe")] + arms.map { .init($0.rawValue.capitalized) }
        + [.init("Secret arms did not pass")],
      rows: families.map { own in
        let name = Node {
          own.family.name
          Tag.span(.class("sub")) { own.family.recipe.title }
        }
        return DataTable.Row(
          [name] + arms.map { Self.tally(own.family.members(of: $0)) } + [.text(own.openInSecrets)])
      }, stacksOnPhones: true
    ).node
  }

  private static func tally(_ members: [ZooFamily.Member]) -> Node {
    guard !members.isEmpty else { return "–" }
    let passed = members.count { $0.entry.proof.decision == .passed }
    return ZooFamily.decision(of: members).outcome().marked("\(passed) of \(members.count)")
  }

  private var matrix: Node {
    let asked = askedCriteria
    let unasked = GateCriterion.allCases.filter { !asked.contains($0) }.map {
      $0.title.lowercased()
    }
    return Node {
      GateMatrix(
        title: "Every gate of every organism",
        columns: asked.map {
          .init($0.title, bar: $0.bar.picture.text($0.unit), requirement: $0.requirement)
        },
        rows: families.flatMap { own in
          own.organisms.map { organism in
            GateMatrix.Row(
              organism.member.name, group: own.family.name,
              outcome: organism.entry.proof.decision.outcome(),
              cells: asked.map { organism.cell(on: $0) }, source: organism.file.id)
          }
        }
      ).node
      if !asked.isEmpty, !unasked.isEmpty {
        Tag.p { "Asked of nobody here: \(unasked.joined(separator: "; "))." }
      }
    }
  }

  /// Those that somebody was asked, in the order of the gate.
  var askedCriteria: [GateCriterion] {
    let asked = Set(organisms.flatMap { $0.entry.proof.outcomes.map(\.criterion) })
    return GateCriterion.allCases.filter(asked.contains)
  }
}

/// A family and its organisms, as the page names them.
struct ZooPageFamily: Sendable {
  let family: ZooFamily
  let organisms: [ZooOrganism]

  /// What kept the family from passing.
  var openInSecrets: String {
    let secrets = family.members(of: .secret)
    guard !secrets.isEmpty else { return "there is none" }
    let open = GateCriterion.allCases.compactMap { criterion -> String? in
      let decisions = secrets.compactMap { $0.entry.proof.decision(on: criterion) }
      let counts = [GateDecision.failed, .undecided].compactMap { decision -> String? in
        let count = decisions.count { $0 == decision }
        return count > 0 ? "\(count) \(decision.rawValue)" : nil
      }
      return counts.isEmpty
        ? nil : "\(criterion.title.lowercased()) (\(counts.joined(separator: ", ")))"
    }
    return open.isEmpty ? "–" : open.joined(separator: "; ")
  }
}

/// An organism and the file that says what its gate found.
struct ZooOrganism: Sendable {
  let member: ZooFamily.Member
  let file: FileRecord

  var entry: ZooFolder.Entry { member.entry }

  func outcome(on criterion: GateCriterion) -> GateOutcome? {
    entry.proof.outcomes.first { $0.criterion == criterion }
  }

  /// What was measured, with its interval and n, or why nothing was.
  func words(_ outcome: GateOutcome) -> String {
    guard let number = CitedNumber(outcome, of: self) else {
      return outcome.problem ?? "not measured"
    }
    return number.text + (number.tallyText.isEmpty ? "" : ", \(number.tallyText)")
  }

  fileprivate func cell(on criterion: GateCriterion) -> GateMatrix.Cell? {
    outcome(on: criterion).map { outcome in
      let text =
        outcome.count.map { "\($0.successes)/\($0.trials)" }
        ?? outcome.measured.map { NumberFormat.trimmed($0.value) } ?? "–"
      return GateMatrix.Cell(outcome.outcome, text: text, detail: words(outcome))
    }
  }
}

extension ZooRecord {
  /// The base model's name, without its folder.
  var base: String { (zoo.base as NSString).lastPathComponent }
}
