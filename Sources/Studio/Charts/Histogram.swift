internal import Foundation

/// How many fall into each of some bins, in their order.
package struct Histogram: Chart {
  package struct Bin: Sendable {
    package var label: String
    package var count: Int

    package init(_ label: String, _ count: Int) { (self.label, self.count) = (label, count) }
  }

  package var title: String
  /// What the bins are of: "share of tokens".
  package var xLabel: String
  /// What is counted, in the plural.
  package var counted: String
  package var bins: [Bin]
  /// Whether heights are logarithms, for counts that differ by much.
  package var isLogarithmic: Bool

  package init(
    title: String, xLabel: String, counted: String, bins: [Bin], isLogarithmic: Bool = false
  ) {
    (self.title, self.xLabel, self.counted) = (title, xLabel, counted)
    (self.bins, self.isLogarithmic) = (bins, isLogarithmic)
  }

  package var absence: String? {
    bins.allSatisfy { $0.count == 0 } ? "there is nothing to count." : nil
  }

  package var summary: String {
    bins.map { "\($0.label): \(NumberFormat.grouped($0.count)) \(counted)" }
      .joined(separator: "; ") + "."
  }

  package func draw(width: Double) -> Drawing {
    let (top, bottom) = (24.0, width < 500 ? 150.0 : 180.0)
    let step = width / Double(max(bins.count, 1))
    let most = bins.map { height($0.count) }.max() ?? 1
    // As many labels as there is room for.
    let widest = bins.map { SVG.textWidth($0.label, size: 11) }.max() ?? 0
    let every = max(1, Int((widest + 8) / step) + 1)
    var shapes = [
      SVG.text(counted + (isLogarithmic ? ", logarithmic" : ""), x: 0, y: 13, "axis-label")
    ]
    for (index, bin) in bins.enumerated() {
      let share = most > 0 ? height(bin.count) / most : 0
      let (x, length) = (
        step * Double(index), bin.count == 0 ? 0 : max(1, share * (bottom - top - 18))
      )
      shapes.append(
        SVG.group(tooltip: "\(xLabel) \(bin.label): \(NumberFormat.grouped(bin.count)) \(counted)")
        {
          SVG.rect(
            x: x + 1, y: bottom - length, width: max(1, step - 2), height: length, "bar s1")
          if step > 30 {
            SVG.text(
              NumberFormat.grouped(bin.count), x: x + step / 2, y: bottom - length - 4,
              anchor: .middle, "tick")
          }
        })
      if index % every == 0 {
        shapes.append(
          SVG.text(
            bin.label, near: x + step / 2, y: bottom + 15, within: width, "tick"))
      }
    }
    shapes.append(SVG.line(0, bottom, width, bottom, "axis"))
    shapes.append(SVG.text(xLabel, near: width / 2, y: bottom + 33, within: width, "axis-label"))
    return Drawing(height: bottom + 40, shapes: shapes)
  }

  private func height(_ count: Int) -> Double {
    isLogarithmic ? log10(Double(count) + 1) : Double(count)
  }
}
