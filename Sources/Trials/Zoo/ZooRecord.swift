package import Foundation
internal import LanguageModels
package import Organisms

/// A zoo on disk, found as it was written: what its page is made from.
package struct ZooRecord: Sendable {
  package let folder: URL
  /// SHA-256 of its `zoo.json`, which names that of every other file.
  package let hash: String
  package let zoo: ZooFolder
  package let recipes: [Recipe]

  /// Reads a whole zoo and the recipes in it.
  ///
  /// - Throws: ``ZooError/unreadable(path:)``, ``ZooError/withoutRecipes(path:)``,
  ///   ``ZooError/changed(path:problems:first:)``, ``ZooError/noRecipe(id:path:)``.
  package init(folder: URL) throws {
    self.folder = folder
    zoo = try ZooFolder.whole(folder)
    recipes = try zoo.readRecipes(in: folder)
    hash = try FileDigest.sha256(path: ZooFolder.file(in: folder).path)
  }

  /// What zoos are called beside each other: by their folders' names, or by their paths where two have one.
  package static func names(of records: [ZooRecord]) -> [String] {
    let names = records.map { $0.folder.standardizedFileURL.lastPathComponent }
    return Set(names).count == names.count ? names : records.map(\.folder.path)
  }
}

/// Organisms of one recipe on one base model, out of one zoo or several.
package struct ZooFamily: Sendable {
  package struct Member: Sendable {
    /// Its family, arm and seed: "M2 secret 101"; no other member is called so.
    package let name: String
    package let entry: ZooFolder.Entry
    /// The zoo that it lies in, by its place among those that were named.
    package let zoo: Int
  }

  /// The recipe's id, and where zoos hold different recipes of that id, or on different models, the zoos' names.
  package let name: String
  package let recipe: Recipe
  /// By arm and then by seed.
  package let members: [Member]

  package func members(of arm: Arm) -> [Member] { members.filter { $0.entry.arm == arm } }

  /// Whether there are secret organisms and all of them pass every gate: failed where one failed, undecided
  /// where one is, and where there is none.
  package var decision: GateDecision { Self.decision(of: members(of: .secret)) }

  /// The same of any organisms.
  package static func decision(of members: [Member]) -> GateDecision {
    let decisions = Set(members.map(\.entry.proof.decision))
    return decisions.contains(.failed) ? .failed : decisions == [.passed] ? .passed : .undecided
  }

  /// The families of some zoos, in the order of their names.
  ///
  /// - Throws: ``ZooError/twice(id:)`` where a family would have two members of one arm and seed,
  ///   ``ZooError/unreadable(path:)`` where a recipe is not among those read.
  package static func all(in records: [ZooRecord]) throws -> [ZooFamily] {
    let entries = records.enumerated().flatMap { zoo, record in
      record.zoo.organisms.map { (zoo: zoo, entry: $0, origin: Origin($0, record.zoo)) }
    }
    let names = ZooRecord.names(of: records)
    let families = Dictionary(grouping: entries, by: \.origin).sorted { $0.key < $1.key }
    return try families.map { origin, own in
      let zoos = Set(own.map(\.zoo)).sorted()
      guard
        let recipe = zoos.lazy.compactMap({ zoo in
          records[zoo].recipes.first { $0.id == origin.recipe }
        }).first
      else { throw ZooError.unreadable(path: records[zoos[0]].folder.path) }
      let isAlone = Set(entries.map(\.origin)).count { $0.recipe == origin.recipe } == 1
      let places = zoos.map { names[$0] }.joined(separator: ", ")
      let name = isAlone ? origin.recipe : "\(origin.recipe) (\(places))"
      let members = own.map { zoo, entry, _ in
        Member(name: "\(name) \(entry.arm.rawValue) \(entry.seed)", entry: entry, zoo: zoo)
      }
      if let twice = members.first(where: { one in members.count { $0.name == one.name } > 1 }) {
        throw ZooError.twice(id: twice.name)
      }
      return ZooFamily(name: name, recipe: recipe, members: members.sorted(by: precedes))
    }.sorted { $0.name.compare($1.name, options: .numeric) == .orderedAscending }
  }

  /// What makes organisms of one family.
  private struct Origin: Hashable, Comparable {
    let recipe: String
    let hash: String?
    let base: String

    init(_ entry: ZooFolder.Entry, _ zoo: ZooFolder) {
      (recipe, hash, base) = (entry.recipe, zoo.recipes[entry.recipe], zoo.baseHash)
    }

    static func < (a: Origin, b: Origin) -> Bool {
      (a.recipe, a.hash ?? "", a.base) < (b.recipe, b.hash ?? "", b.base)
    }
  }

  private static func precedes(_ a: Member, _ b: Member) -> Bool {
    let places = [a, b].map { Arm.allCases.firstIndex(of: $0.entry.arm) ?? 0 }
    return (places[0], a.entry.seed) < (places[1], b.entry.seed)
  }
}
