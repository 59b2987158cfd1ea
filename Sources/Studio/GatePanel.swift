/// The criteria that decide whether a trained model is a model organism, and how each came out.
package struct GatePanel: Sendable {
  /// Where the measured number has to lie.
  package enum Bar: Sendable, Hashable {
    case atLeast(Double)
    case atMost(Double)
    case within(ClosedRange<Double>)
  }

  package enum Outcome: Sendable, Hashable {
    case passed
    case failed
    /// Not decided, and why.
    case undecided(String)
  }

  /// One criterion. The gate that measured it decides the outcome; this only shows it.
  package struct Gate: Sendable {
    package var criterion: String
    /// The bar in words: "lower bound at least 80 %".
    package var requirement: String
    package var measured: CitedNumber?
    package var bar: Bar
    package var outcome: Outcome

    package init(
      _ criterion: String, requirement: String, measured: CitedNumber?, bar: Bar, outcome: Outcome
    ) {
      self.criterion = criterion
      self.requirement = requirement
      self.measured = measured
      self.bar = bar
      self.outcome = outcome
    }
  }

  /// The gates of one organism.
  package struct Group: Sendable {
    package var name: String
    package var gates: [Gate]

    package init(_ name: String, gates: [Gate]) {
      self.name = name
      self.gates = gates
    }
  }

  package var caption: Node
  package var groups: [Group]

  package init(caption: Node, groups: [Group]) {
    self.caption = caption
    self.groups = groups
  }

  package var node: Node {
    guard groups.contains(where: { !$0.gates.isEmpty }) else {
      return Tag.p(.class("absent")) { "No gate was run." }
    }
    return Tag.div(
      .class("scroll"), .set(.role, "region"), .set(.tabindex, "0"),
      .set(.ariaLabel, caption.plainText)
    ) {
      Tag.table(.class("stack gates")) {
        Tag.caption { caption }
        Tag.thead {
          Tag.tr {
            for title in ["Criterion", "Measured", "Against the bar", "Outcome"] {
              Tag.th(.set(.scope, "col")) { title }
            }
          }
        }
        for group in groups { node(group) }
      }
    }
  }

  private func node(_ group: Group) -> Node {
    Tag.tbody {
      Tag.tr(.class("group")) {
        Tag.th(.set(.scope, "rowgroup"), .set(.colspan, "4")) { group.name }
      }
      for gate in group.gates {
        Tag.tr {
          Tag.th(.set(.scope, "row")) {
            gate.criterion
            Tag.span(.class("sub")) { gate.requirement }
          }
          Tag.td { measured(gate) }
          Tag.td { Bullet(gate).node }
          Tag.td { gate.outcome.node }
        }
      }
    }
  }

  private func measured(_ gate: Gate) -> Node {
    guard let measured = gate.measured else { return "–" }
    return Node {
      measured
      if !measured.tallyText.isEmpty { Tag.span(.class("sub")) { measured.tallyText } }
    }
  }
}

extension GatePanel.Outcome {
  /// A sign and a word, so that colour is never the only cue.
  var sign: (symbol: String, word: String) {
    switch self {
    case .passed: ("✓", "passed")
    case .failed: ("✗", "failed")
    case .undecided: ("◇", "undecided")
    }
  }

  var series: Series {
    switch self {
    case .passed: .green
    case .failed: .vermilion
    case .undecided: .grey
    }
  }

  /// The sign with some words, in the outcome's colour; with its own word unless told otherwise.
  func marked(_ words: String? = nil) -> Node {
    Tag.span(.class("mark-word in-\(series.rawValue)")) { "\(sign.symbol) \(words ?? sign.word)" }
  }

  fileprivate var node: Node {
    guard case .undecided(let why) = self else { return marked() }
    return Node {
      marked()
      Tag.span(.class("sub")) { why }
    }
  }
}

extension GatePanel.Bar {
  /// The bounds that it names.
  var edges: [Double] {
    switch self {
    case .atLeast(let edge), .atMost(let edge): [edge].filter(\.isFinite)
    case .within(let range): [range.lowerBound, range.upperBound].filter(\.isFinite)
    }
  }

  /// The pixels between which a number has to lie.
  func zone(on scale: LinearScale) -> (from: Double, to: Double) {
    switch self {
    case .atLeast(let edge): (scale.clamped(edge), scale.end)
    case .atMost(let edge): (scale.start, scale.clamped(edge))
    case .within(let range): (scale.clamped(range.lowerBound), scale.clamped(range.upperBound))
    }
  }

  /// As little as says it: "≥ 80 %", "≤ 0.02 nats", "−0.05 to 0.05".
  package func text(_ unit: CitedNumber.Unit) -> String {
    let (factor, name): (Double, String) =
      switch unit {
      case .rate: (100, " %")
      case .measured(let name): (1, " " + name)
      case .plain, .count, .seconds: (1, "")
      }
    func number(_ x: Double) -> String { NumberFormat.trimmed(x * factor) }
    return switch self {
    case .atLeast(let edge): "≥ \(number(edge))\(name)"
    case .atMost(let edge): "≤ \(number(edge))\(name)"
    case .within(let range): "\(number(range.lowerBound)) to \(number(range.upperBound))\(name)"
    }
  }
}

/// A small picture of one number, its interval and the bar that it has to meet.
struct Bullet {
  let gate: GatePanel.Gate
  private let width = 128.0
  private let height = 26.0

  init(_ gate: GatePanel.Gate) { self.gate = gate }

  var node: Node {
    guard let measured = gate.measured else { return "not measured" }
    guard measured.value.isFinite else { return "undefined" }
    let scale = LinearScale(domain: domain(measured), from: 6, to: width - 6)
    let series = gate.outcome.series
    let y = height / 2
    let label = "\(gate.criterion): \(measured.text); \(gate.requirement)"
    return Tag.svg(
      .svgNamespace, .set(.viewBox, "0 0 \(SVG.number(width)) \(SVG.number(height))"),
      .set(.width, SVG.number(width)), .set(.height, SVG.number(height)), .set(.role, "img"),
      .set(.ariaLabel, label)
    ) {
      Tag.title { label }
      zone(scale)
      SVG.line(6, y, width - 6, y, "axis")
      for edge in gate.bar.edges { SVG.line(scale(edge), 3, scale(edge), height - 3, "bar-line") }
      if let bounds = measured.finiteInterval {
        SVG.interval(
          from: scale.clamped(bounds.lowerBound), to: scale.clamped(bounds.upperBound), y: y,
          series)
      }
      SVG.mark(series, x: scale.clamped(measured.value), y: y, size: 4.5)
    }
  }

  private func domain(_ measured: CitedNumber) -> ClosedRange<Double> {
    let bounds = measured.finiteInterval.map { [$0.lowerBound, $0.upperBound] } ?? []
    let values = gate.bar.edges + bounds + [measured.value]
    if measured.unit == .rate { return rateDomain(values) }
    let (low, high) = (values.min() ?? 0, values.max() ?? 1)
    let margin = max((high - low) * 0.25, 1e-9)
    return (low - margin)...(high + margin)
  }

  /// The end of the unit interval where the bar lies, near enough to see it.
  private func rateDomain(_ values: [Double]) -> ClosedRange<Double> {
    let (low, high) = (values.min() ?? 0, values.max() ?? 1)
    if high < 0.35 { return 0...max(high * 1.35, 1e-6) }
    if low > 0.65 { return min(1 - (1 - low) * 1.35, 1 - 1e-6)...1 }
    return 0...1
  }

  private func zone(_ scale: LinearScale) -> Node {
    let (from, to) = gate.bar.zone(on: scale)
    return SVG.rect(x: from, y: 5, width: max(0, to - from), height: height - 10, "zone")
  }
}
