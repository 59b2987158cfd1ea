internal import Foundation

/// A linear map from data to pixels, with round ticks.
package struct LinearScale: Sendable {
  /// Data at the two ends; never empty.
  package let domain: ClosedRange<Double>
  let start: Double
  let end: Double

  /// A scale over a finite domain; one of zero width is widened, so that it still maps.
  package init(domain: ClosedRange<Double>, from start: Double, to end: Double) {
    let isUsable =
      domain.lowerBound.isFinite && domain.upperBound.isFinite
      && (domain.upperBound - domain.lowerBound).isFinite
    let usable = isUsable ? domain : 0...1
    if usable.lowerBound < usable.upperBound {
      self.domain = usable
    } else {
      let margin = max(abs(usable.lowerBound) * 0.5, 0.5)
      self.domain = (usable.lowerBound - margin)...(usable.upperBound + margin)
    }
    self.start = start
    self.end = end
  }

  /// The pixel of a value; outside of the domain it runs on.
  package func callAsFunction(_ value: Double) -> Double {
    let fraction = (value - domain.lowerBound) / (domain.upperBound - domain.lowerBound)
    return start + fraction * (end - start)
  }

  /// The pixel of a value, held inside the domain.
  package func clamped(_ value: Double) -> Double {
    self(min(max(value, domain.lowerBound), domain.upperBound))
  }

  /// At most about `count` values at steps of 1, 2 or 5 times a power of ten, inside the domain.
  package func ticks(_ count: Int = 5) -> [Double] {
    let span = domain.upperBound - domain.lowerBound
    let step = Self.niceStep(span / Double(max(1, count)))
    let first = (domain.lowerBound / step - 1e-9).rounded(.up)
    let last = (domain.upperBound / step + 1e-9).rounded(.down)
    guard step > 0, step.isFinite, last >= first, last - first < 1000 else { return [] }
    return stride(from: first, through: last, by: 1).map { $0 == 0 ? 0 : $0 * step }
  }

  /// Decimals that tell neighbouring ticks apart.
  static func tickPlaces(_ ticks: [Double]) -> Int {
    guard ticks.count > 1 else { return 2 }
    return max(0, Int((-log10(abs(ticks[1] - ticks[0])) - 1e-9).rounded(.up)))
  }

  /// Round numbers around the finite values given; 0...1 if there are none.
  package static func domain(around values: [Double], including extra: [Double] = [])
    -> ClosedRange<Double>
  {
    let finite = (values + extra).filter(\.isFinite)
    guard let low = finite.min(), let high = finite.max() else { return 0...1 }
    let step = niceStep(max(high - low, abs(high) * 0.01, 1e-9) / 10)
    let lower = (low / step - 1e-9).rounded(.down) * step
    let upper = (high / step + 1e-9).rounded(.up) * step
    guard lower.isFinite, upper.isFinite, lower <= upper else { return 0...1 }
    return lower...upper
  }

  private static func niceStep(_ rough: Double) -> Double {
    guard rough > 0, rough.isFinite else { return 1 }
    let power = pow(10, floor(log10(rough)))
    let leading = rough / power
    return (leading <= 1.0001 ? 1 : leading <= 2.0001 ? 2 : leading <= 5.0001 ? 5 : 10) * power
  }
}

/// How an axis writes its numbers.
package enum AxisUnit: Sendable, Hashable {
  case percent
  case plain

  func text(_ value: Double, ticks: [Double]) -> String {
    switch self {
    case .percent:
      NumberFormat.fixed(value * 100, places: LinearScale.tickPlaces(ticks.map { $0 * 100 })) + "%"
    case .plain: NumberFormat.fixed(value, places: LinearScale.tickPlaces(ticks))
    }
  }
}

extension SVG {
  /// A horizontal axis below a plot: grid lines from `top`, ticks, numbers and a label.
  static func horizontalAxis(
    _ scale: LinearScale, unit: AxisUnit, label: String, top: Double, bottom: Double
  ) -> [Node] {
    let room = abs(scale.end - scale.start)
    let ticks = scale.ticks(max(2, Int(room / 58)))
    var nodes = ticks.map { line(scale($0), top, scale($0), bottom, "grid") }
    nodes.append(line(scale.start, bottom, scale.end, bottom, "axis"))
    nodes += ticks.map {
      text(unit.text($0, ticks: ticks), x: scale($0), y: bottom + 15, anchor: .middle, "tick")
    }
    let middle = (scale.start + scale.end) / 2
    nodes.append(text(label, x: middle, y: bottom + 32, anchor: .middle, "axis-label"))
    return nodes
  }
}
