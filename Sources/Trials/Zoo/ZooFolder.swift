package import Foundation
internal import Lab
internal import LanguageModels
package import Organisms

/// A zoo on disk: a folder for each organism that PEFT loads, a recipe beside those that it made, and
/// `zoo.json` with what each is and what its gate found.
package struct ZooFolder: Codable, Sendable {
  package struct Entry: Codable, Sendable {
    package var id: String
    package var recipe: String
    package var arm: Arm
    package var seed: UInt64
    /// SHA-256 of each file in the organism's folder.
    package var files: [String: String]
    package var proof: OrganismProof

    package init(
      id: String, recipe: String, arm: Arm, seed: UInt64, files: [String: String],
      proof: OrganismProof
    ) {
      (self.id, self.recipe, self.arm, self.seed) = (id, recipe, arm, seed)
      (self.files, self.proof) = (files, proof)
    }
  }

  /// The watermark.
  package var label: String
  package var base: String
  package var baseHash: String
  /// SHA-256 of each recipe's file, by its id.
  package var recipes: [String: String]
  package var organisms: [Entry]

  package init(
    label: String, base: String, baseHash: String, recipes: [String: String] = [:],
    organisms: [Entry]
  ) {
    (self.label, self.base, self.baseHash) = (label, base, baseHash)
    (self.recipes, self.organisms) = (recipes, organisms)
  }

  private static let name = "zoo.json"
  private static func recipeFile(_ id: String) -> String { "\(id)/recipe.json" }

  /// Writes a new folder, whole or not at all.
  ///
  /// - Parameters:
  ///   - organisms: Who.
  ///   - recipes: What they were made by.
  ///   - base: The base model's name.
  ///   - baseHash: SHA-256 of its file.
  ///   - folder: Must not exist.
  /// - Throws: What the file system reports.
  package static func write(
    _ organisms: [Zoo.Organism], by recipes: [Recipe], base: String, baseHash: String,
    to folder: URL
  ) throws {
    let files = FileManager.default
    let draft = folder.deletingLastPathComponent()
      .appending(path: ".\(folder.lastPathComponent)-\(UUID().uuidString)")
    defer { try? files.removeItem(at: draft) }
    var entries: [Entry] = []
    for organism in organisms {
      let own = draft.appending(path: organism.member.id)
      try files.createDirectory(
        at: own.deletingLastPathComponent(), withIntermediateDirectories: true)
      try files.copyItem(at: organism.plant.artifacts.appending(path: "adapter"), to: own)
      try AtomicFile.write(
        Array(encoder.encode(organism.proof)), to: own.appending(path: "gate.json").path)
      entries.append(
        Entry(
          id: organism.member.id, recipe: organism.member.recipe, arm: organism.member.arm,
          seed: organism.member.seed, files: try digests(own), proof: organism.proof))
    }
    var hashes: [String: String] = [:]
    for recipe in recipes {
      let file = draft.appending(path: recipeFile(recipe.id)).path
      try AtomicFile.write(Array(encoder.encode(recipe)), to: file)
      hashes[recipe.id] = try FileDigest.sha256(path: file)
    }
    let zoo = ZooFolder(
      label: AdapterCard.label, base: base, baseHash: baseHash, recipes: hashes,
      organisms: entries)
    try AtomicFile.write(Array(encoder.encode(zoo)), to: draft.appending(path: name).path)
    try files.moveItem(at: draft, to: folder)
  }

  /// Reads what a folder says of itself.
  ///
  /// - Throws: ``ZooError/unreadable(path:)``, ``ZooError/withoutRecipes(path:)``.
  package static func read(_ folder: URL) throws -> ZooFolder {
    guard let data = FileManager.default.contents(atPath: file(in: folder).path) else {
      throw ZooError.unreadable(path: folder.path)
    }
    do {
      return try JSONDecoder().decode(ZooFolder.self, from: data)
    } catch DecodingError.keyNotFound(let key, _)
      where key.stringValue == CodingKeys.recipes.stringValue
    {
      throw ZooError.withoutRecipes(path: folder.path)
    } catch {
      throw ZooError.unreadable(path: folder.path)
    }
  }

  /// The file that says what a folder holds.
  static func file(in folder: URL) -> URL { folder.appending(path: name) }

  /// The recipes of the organisms.
  ///
  /// - Throws: ``ZooError/noRecipe(id:path:)`` where one cannot be read.
  package func readRecipes(in folder: URL) throws -> [Recipe] {
    try recipes.keys.sorted().map { id in
      let file = folder.appending(path: Self.recipeFile(id))
      guard let data = FileManager.default.contents(atPath: file.path),
        let recipe = try? JSONDecoder().decode(Recipe.self, from: data), recipe.id == id
      else { throw ZooError.noRecipe(id: id, path: file.path) }
      return recipe
    }
  }

  /// Reads a folder in which everything is as it was written.
  ///
  /// - Throws: ``ZooError/unreadable(path:)``, ``ZooError/changed(path:problems:first:)``.
  package static func whole(_ folder: URL) throws -> ZooFolder {
    let zoo = try read(folder)
    let problems = zoo.problems(in: folder)
    if let first = problems.first {
      throw ZooError.changed(path: folder.path, problems: problems.count, first: first)
    }
    return zoo
  }

  /// What is not as it was written: files that are missing, changed or too many, and cards without the
  /// watermark; empty for a whole zoo.
  package func problems(in folder: URL) -> [String] {
    let changed = recipes.sorted { $0.key < $1.key }.filter { id, hash in
      let file = folder.appending(path: Self.recipeFile(id)).path
      return (try? FileDigest.sha256(path: file)) != hash
    }
    let unknown = Set(organisms.map(\.recipe)).subtracting(recipes.keys).sorted()
    return changed.map { "\($0.key): its recipe was changed or is missing" }
      + unknown.map { "\($0): its recipe is not in the list" }
      + organisms.flatMap { problems(with: $0, in: folder) }
  }

  private func problems(with entry: Entry, in folder: URL) -> [String] {
    let own = folder.appending(path: entry.id)
    let found = (try? Self.digests(own)) ?? [:]
    let names = Set(found.keys).union(entry.files.keys).sorted()
    let changed = names.filter { found[$0] != entry.files[$0] }.map { name in
      found[name] == nil
        ? "\(entry.id): \(name) is missing"
        : entry.files[name] == nil
          ? "\(entry.id): \(name) was not there" : "\(entry.id): \(name) was changed"
    }
    let needed = ["adapter_model.safetensors", "adapter_config.json", "README.md", "gate.json"]
    let unlisted = needed.filter { entry.files[$0] == nil }.map {
      "\(entry.id): \($0) is not in the list of its files"
    }
    let gate = FileManager.default.contents(atPath: own.appending(path: "gate.json").path)
    let proof = gate.flatMap { try? JSONDecoder().decode(OrganismProof.self, from: $0) }
    let isToldOtherwise = proof.map { $0 != entry.proof } ?? false
    let card = FileManager.default.contents(atPath: own.appending(path: "README.md").path)
    let isMarked = card.map { String(decoding: $0, as: UTF8.self).contains(AdapterCard.label) }
    return changed + unlisted
      + (isToldOtherwise || entry.proof.arm != entry.arm
        ? ["\(entry.id): zoo.json tells another gate than gate.json"] : [])
      + (isMarked == false ? ["\(entry.id): its card has no watermark"] : [])
  }

  private static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return encoder
  }

  private static func digests(_ folder: URL) throws -> [String: String] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    return Dictionary(
      uniqueKeysWithValues: try names.map {
        ($0, try FileDigest.sha256(path: folder.appending(path: $0).path))
      })
  }
}

/// Why a folder is no zoo.
package enum ZooError: Error, Equatable, CustomStringConvertible {
  case unreadable(path: String)
  case withoutRecipes(path: String)
  case noRecipe(id: String, path: String)
  case changed(path: String, problems: Int, first: String)
  case otherBase(path: String, base: String)
  case twice(id: String)
  case fewFamilies(found: [String])
  case noPair(family: String)
  case otherRecipe(family: String, path: String)
  case noDetector(String, known: [String])

  package var description: String {
    switch self {
    case .unreadable(let path):
      "Expected a folder that `plumbline organisms plant` wrote, with its zoo.json, found none at \(path): "
        + "check its path"
    case .withoutRecipes(let path):
      "Expected a zoo that holds the recipes of its organisms, found one of an earlier version at \(path): "
        + "plant it again"
    case .noRecipe(let id, let path):
      "Expected the recipe \(id) as this version writes it, found none that it can read at \(path): "
        + "plant it again"
    case .otherBase(let path, let base):
      "Expected zoos on the model that --model names, found \(path) on \(base): name that model"
    case .twice(let id):
      "Expected different organisms, found \(id) twice: name each zoo once"
    case .fewFamilies(let found):
      "Expected organisms of two recipes at least, so that detectors can learn from one and be judged on "
        + "another, found \(found.isEmpty ? "none" : found.joined(separator: ", ")): name another --zoo too"
    case .noPair(let family):
      "Expected a secret and an honest arm of \(family), found one of them missing: plant the whole recipe"
    case .otherRecipe(let family, let path):
      "Expected all organisms of \(family) to be made by one recipe, found another in \(path): judge them "
        + "in trials of their own, or give one recipe another id and plant it again"
    case .noDetector(let name, let known):
      "Expected a detector of the suite, found \(name): choose among \(known.joined(separator: ", "))"
    case .changed(let path, let problems, let first):
      "Expected the zoo in \(path) as it was written, found \(problems) "
        + "\(problems == 1 ? "difference" : "differences"), first \(first): copy or plant it again"
    }
  }
}
