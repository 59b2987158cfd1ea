internal import Foundation
package import Statistics

/// Numbers as text: as many digits as the interval supports, and no more.
package enum NumberFormat {
  /// Shown in place of a number that is not one.
  package static let undefined = "undefined"

  /// `x` with `places` decimals, never "-0"; "undefined" for NaN and infinities.
  package static func fixed(_ x: Double, places: Int) -> String {
    guard x.isFinite else { return undefined }
    let text = String(format: "%.*f", places, x)
    let isZero = text.allSatisfy { "-0.".contains($0) }
    return (isZero && text.hasPrefix("-") ? String(text.dropFirst()) : text)
      .replacingOccurrences(of: "-", with: "−")
  }

  /// `x` with `digits` significant digits and thousands separated.
  package static func significant(_ x: Double, digits: Int = 3) -> String {
    guard x.isFinite else { return undefined }
    guard x != 0 else { return "0" }
    // Taken after rounding, so that 9.996 becomes 10.0 and not 10.00.
    let rounded = String(format: "%.*e", digits - 1, x)
    let magnitude = rounded.split(separator: "e").last.flatMap { Int($0) } ?? 0
    if magnitude >= digits - 1, abs(x) < 1e15 { return grouped(Int(x.rounded())) }
    if magnitude < -4 || abs(x) >= 1e15 {
      return rounded.replacingOccurrences(of: "-", with: "−")
    }
    return fixed(x, places: digits - 1 - magnitude)
  }

  /// `x` with at most three significant digits and no zeros at the end: "0.5", "1.31".
  package static func trimmed(_ x: Double) -> String {
    let text = significant(x)
    guard text.contains("."), !text.contains("e") else { return text }
    let digits = text.reversed().drop { $0 == "0" }.drop { $0 == "." }
    return String(digits.reversed())
  }

  /// An integer with a comma between groups of three digits.
  package static func grouped(_ n: Int) -> String {
    var output = ""
    for (index, digit) in String(n.magnitude).reversed().enumerated() {
      if index > 0, index.isMultiple(of: 3) { output.append(",") }
      output.append(digit)
    }
    return (n < 0 ? "−" : "") + String(output.reversed())
  }

  /// A duration: "0.4 s", "41 s", "2 min 13 s", "1 h 05 min".
  package static func duration(seconds: Double) -> String {
    guard seconds.isFinite else { return undefined }
    if seconds < 9.95 { return fixed(seconds, places: 1) + " s" }
    let whole = Int(min(seconds, 1e9).rounded())
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min" + (whole % 60 > 0 ? " \(whole % 60) s" : "") }
    let minutes = (whole % 3600) / 60
    return "\(whole / 3600) h \(minutes < 10 ? "0" : "")\(minutes) min"
  }

  /// A rate in [0, 1] as "93 % (84–98)".
  ///
  /// No rate is claimed that n cannot support: none of n is "at most u %", all of n is
  /// "at least l %", and without an interval they are "none" and "all".
  package static func rate(_ value: Double, interval: Interval?) -> String {
    guard value.isFinite else { return undefined }
    guard let interval, interval.lower.isFinite, interval.upper.isFinite else {
      if value <= 0 { return "none" }
      return value >= 1 ? "all" : inner(value, places: ratePlaces(value, bounds: nil)) + " %"
    }
    let level = levelNote(interval)
    let bounds = (lower: interval.lower, upper: interval.upper)
    if value <= 0 {
      return "at most \(bound(bounds.upper, distance: bounds.upper, wholeFrom: 9.5)) %" + level
    }
    if value >= 1 {
      return "at least \(bound(bounds.lower, distance: 1 - bounds.lower, wholeFrom: 4.5)) %" + level
    }
    let places = ratePlaces(value, bounds: bounds)
    let range = [bounds.lower, bounds.upper].map { percent($0, places: places) }
    return "\(inner(value, places: places)) % (\(range[0])–\(range[1]))" + level
  }

  /// A number such as an area or a difference as "0.97 (0.94–0.99)".
  package static func plain(_ value: Double, interval: Interval?) -> String {
    guard value.isFinite else { return undefined }
    guard let interval, interval.lower.isFinite, interval.upper.isFinite else {
      return trimmed(value)
    }
    let width = interval.upper - interval.lower
    let largest = max(abs(value), abs(interval.lower), abs(interval.upper))
    // Two digits of the interval's width: 0.91 (0.86–0.95), but 0.984 (0.968–0.994).
    let places = width > 0 ? Int((1 - log10(width / 0.5)).rounded(.up)) : 3
    let shown = max(largest <= 1 ? 2 : 0, min(places, 6))
    let separator = interval.lower < 0 ? " to " : "–"
    let range = [interval.lower, interval.upper].map { fixed($0, places: shown) }
    return "\(fixed(value, places: shown)) (\(range.joined(separator: separator)))"
      + levelNote(interval)
  }

  private static func percent(_ value: Double, places: Int) -> String {
    fixed(value * 100, places: places)
  }

  /// Captions say once that intervals are 95 %; any other level is said beside the number.
  private static func levelNote(_ interval: Interval) -> String {
    abs(interval.level - 0.95) < 1e-9
      ? "" : ", \(trimmed(interval.level * 100)) % interval"
  }

  /// A bound in percent, with decimals where it lies near the end of the scale.
  private static func bound(_ value: Double, distance: Double, wholeFrom points: Double) -> String {
    let shown = abs(distance) * 100
    return percent(value, places: shown >= points ? 0 : shown >= 0.095 ? 1 : 3)
  }

  /// A rate strictly between 0 and 1 in percent, which even a tiny one must not seem to leave.
  private static func inner(_ value: Double, places: Int) -> String {
    let text = percent(value, places: places)
    if Double(text) == 0 { return "below " + percent(pow(10, Double(-places - 2)), places: places) }
    if Double(text) == 100 {
      return "above " + percent(1 - pow(10, Double(-places - 2)), places: places)
    }
    return text
  }

  /// Decimals that keep a value and its bounds from being rounded into 0 or 100.
  private static func ratePlaces(_ value: Double, bounds: (lower: Double, upper: Double)?) -> Int {
    let width = bounds.map { ($0.upper - $0.lower) * 100 } ?? 0
    var places = bounds == nil ? 1 : width >= 5 ? 0 : width >= 0.5 ? 1 : width >= 0.05 ? 2 : 3
    let nearEdge = { (x: Double, places: Int) in
      let text = percent(x, places: places)
      return x > 0 && x < 1 && (Double(text) == 0 || Double(text) == 100)
    }
    if let bounds, places == 0, nearEdge(bounds.lower, 0) || nearEdge(bounds.upper, 0) {
      places = 1
    }
    while places < 4, nearEdge(value, places) { places += 1 }
    return places
  }
}
