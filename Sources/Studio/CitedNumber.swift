package import Statistics

/// A number of a report, with its interval and the cells that it came from.
///
/// Made from a value that a run cited from one of its cells and from nothing else, so that charts and
/// tables of measured numbers do not compile with one from nowhere; a page refuses a cell that its
/// appendix does not list. Counts in running text stand beside the citation of their cell. The page of a zoo
/// alone takes numbers from files, those of a folder that was found unchanged.
package struct CitedNumber: Sendable, Hashable {
  /// What the number counts or measures, which decides how it is written.
  package enum Unit: Sendable, Hashable {
    /// A rate in [0, 1], written in percent.
    case rate
    /// A unitless number, such as an area under the curve.
    case plain
    /// A measured number with a unit, such as "nat/token".
    case measured(String)
    /// A whole number of things, such as "tokens".
    case count(String)
    case seconds
  }

  package var value: Double
  package var interval: Interval?
  package var unit: Unit
  /// Successes and trials where the number is a counted rate.
  package var tally: Tally?
  /// Full ids of the cells, or of the file, behind the number; at least one.
  package let cells: [String]

  /// How many of how many.
  package struct Tally: Sendable, Hashable {
    package var successes: Int
    package var trials: Int
    /// What was counted, in the plural: "responses".
    package var counted: String
  }

  /// For this target only: reports go through ``Lab/Cited``, a zoo's through ``ZooReport``.
  init(
    _ value: Double, interval: Interval?, unit: Unit, tally: Tally?, cells: [String]
  ) {
    self.value = value
    self.interval = interval
    self.unit = unit
    self.tally = tally
    self.cells = cells
  }

  /// The number without its source: "93 % (84–98)", "at most 84 %", "0.97 (0.94–0.99)".
  package var text: String {
    switch unit {
    case .rate: NumberFormat.rate(value, interval: interval)
    case .plain: NumberFormat.plain(value, interval: interval)
    case .measured(let unit): NumberFormat.plain(value, interval: interval) + " " + unit
    case .count(let things):
      (value.isFinite && abs(value) < 1e15
        ? NumberFormat.grouped(Int(value.rounded())) : NumberFormat.undefined)
        + (things.isEmpty ? "" : " " + things)
    case .seconds: NumberFormat.duration(seconds: value)
    }
  }

  /// "56 of 60 responses"; empty where the number is no counted rate.
  package var tallyText: String {
    guard let tally else { return "" }
    let counts = [tally.successes, tally.trials].map(NumberFormat.grouped)
    return "\(counts[0]) of \(counts[1]) \(tally.counted)"
  }

  /// The number and a small link to each of its cells.
  package var node: Node {
    let hover = tallyText
    return Tag.span(.class("number")) {
      if hover.isEmpty {
        text
      } else {
        Tag.span(.set(.title, hover)) { text }
      }
      Node.citation(cells)
    }
  }

  /// The interval as a range that charts can draw; nil if there is none or it is not finite.
  var finiteInterval: ClosedRange<Double>? {
    guard let interval, interval.lower.isFinite, interval.upper.isFinite,
      interval.lower <= interval.upper
    else { return nil }
    return interval.lower...interval.upper
  }
}
