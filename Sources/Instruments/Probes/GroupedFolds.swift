internal import Statistics

/// Items dealt into folds so that no group is in two of them.
package struct GroupedFolds: Sendable {
  /// `[item]`, the fold of each item.
  package let assignment: [Int]
  /// How many folds there are: as many as asked for, or as there are groups.
  package let count: Int

  /// Groups in seeded order, each into the fold that has the fewest items so far.
  package init(groups: [String], count: Int, seed: UInt64) {
    let sizes = groups.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
    var generator = SeededGenerator(seed: seed, stream: "folds")
    let order = generator.shuffled(sizes.keys.sorted())
    var filled = [Int](repeating: 0, count: max(1, min(count, order.count)))
    var fold: [String: Int] = [:]
    for group in order {
      let target = filled.indices.min { filled[$0] < filled[$1] } ?? 0
      fold[group] = target
      filled[target] += sizes[group] ?? 0
    }
    assignment = groups.map { fold[$0] ?? 0 }
    self.count = filled.count
  }

  /// Items outside and inside one fold.
  package func split(_ fold: Int) -> (training: [Int], heldOut: [Int]) {
    (
      assignment.indices.filter { assignment[$0] != fold },
      assignment.indices.filter { assignment[$0] == fold }
    )
  }
}
