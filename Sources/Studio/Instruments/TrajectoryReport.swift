internal import Foundation
package import Instruments
internal import Lab

/// The page of `plumbline lens show`: what a lens reads at every site of every token.
package struct TrajectoryReport: InstrumentReport {
  package let source: InstrumentResult<LensTrajectoryCell>

  package init(_ source: InstrumentResult<LensTrajectoryCell>) { self.source = source }

  package func html() throws -> String {
    let finding = result.finding
    var sections = [section(finding.trajectory, id: "trajectory", title: "Trajectory")]
    if let other = finding.other, let distances = finding.distances {
      sections.append(section(other, id: "other", title: "The other"))
      sections.append(section(distances, of: other))
    }
    return try page(
      title: "What \(base) would say at every layer", kicker: "Plumbline · lens",
      facts: [(name: "Lens", value: finding.trajectory.kind.rawValue)],
      sections: sections,
      footer: """
        A lens reads what can be decoded at a site; that the model uses it is another question.
        """
    )
  }

  private func section(_ trajectory: Trajectory, id: String, title: String) -> Section {
    let isForward = trajectory.kind.stepsBack == nil
    let depths = trajectory.depths.enumerated().map { token, depth in
      HeatTable.Cell(
        Self.short(trajectory.sites[depth]), strength: 0,
        detail: "\(HeatTable.visible(trajectory.tokens[token].text)): from "
          + "\(trajectory.sites[depth]) on, the first choice stays what it is in the end")
    }
    let rows = trajectory.sites.indices.reversed().map { site in
      (
        name: Self.short(trajectory.sites[site]),
        cells: trajectory.tokens.indices.map { token in
          cell(trajectory, site, token)
        }
      )
    }
    return Section(
      id: id, title: title,
      lede: isForward
        ? "The first choice for the next token, the model's own at the top."
        : "The token that the residual stream names most."
    ) {
      HeatTable(
        title: isForward ? "First choice by site and token" : "Token named by site and token",
        legend:
          "The stronger a cell's colour, the more probable its first choice. Rows are blocks, "
          + "by what goes into them; the depth is the row from which on the first choice stays.",
        axes: (row: "block", column: "token"), columns: trajectory.tokens.map(\.text),
        rows: rows + [(name: "depth", cells: depths)],
        cell: result.id
      ).node
    }
  }

  /// `12` for what goes into block 12, `12 mid` for between its parts, `out` for the model's own.
  private static func short(_ site: String) -> String {
    let parts = site.split(separator: ".")
    guard parts.count == 3 else { return "out" }
    return parts[1] + (parts[2] == "resid_mid" ? " mid" : "")
  }

  private func cell(_ trajectory: Trajectory, _ site: Int, _ token: Int) -> HeatTable.Cell {
    let reading = trajectory.readings[site][token]
    let choices = reading.top.map {
      "\(HeatTable.visible($0.text)) \(NumberFormat.fixed($0.probability * 100, places: 1)) %"
    }.joined(separator: ", ")
    var facts = ["entropy \(NumberFormat.fixed(reading.entropy, places: 2)) nats"]
    if let divergence = reading.divergence {
      facts.append("KL from the model \(NumberFormat.fixed(divergence, places: 2)) nats")
    }
    if let rank = reading.rank { facts.append("rank of the token itself \(rank)") }
    return HeatTable.Cell(
      reading.top.first?.text ?? "", strength: reading.top.first?.probability ?? 0,
      detail: trajectory.sites[site]
        + ", after \(HeatTable.visible(trajectory.tokens[token].text)): \(choices); \(facts.joined(separator: "; "))"
    )
  }

  private func section(_ distances: [[Double]], of other: Trajectory) -> Section {
    let tokens = other.tokens.suffix(distances.first?.count ?? 0).map(\.text)
    let rows = distances.indices.reversed().map { site in
      (
        name: Self.short(other.sites[site]),
        cells: distances[site].enumerated().map { token, value in
          HeatTable.Cell(
            NumberFormat.fixed(value, places: 3), strength: value / log(2),
            detail: "\(other.sites[site]), \(HeatTable.visible(tokens[token])): "
              + "\(NumberFormat.significant(value)) nats")
        }
      )
    }
    return Section(
      id: "distance", title: "Distance",
      lede: "Jensen–Shannon divergence of the two readings: 0 where they agree, 0.693 nats at most."
    ) {
      HeatTable(
        title: "Distance by site and token", legend: "The stronger the colour, the further apart.",
        axes: (row: "block", column: "token"), columns: Array(tokens), rows: rows, cell: result.id
      ).node
    }
  }
}
