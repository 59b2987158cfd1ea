import Foundation
import Statistics

/// Values recorded by Scripts/reference/statistics_fixtures.py.
struct Fixtures: Decodable {
  let seed: UInt64
  let versions: [String: String]
  let draws: Draws
  let distributions: [String: [[Double]]]
  let clopperPearson: [ClopperPearson]
  let roc: Curves
  let bootstrap: [Bootstrap]
  let clusteredProportions: [ClusteredProportion]
  let paired: Paired

  struct Draws: Decodable {
    let stream: String
    let uniform: [Double]
    let normal: [Double]
    let below: [[Int]]
  }

  struct ClopperPearson: Decodable {
    let side: IntervalSide
    let kNLevelLowHigh: [Double]
  }

  struct Curves: Decodable {
    let samples: [Curve]
    let pairs: [Pair]
  }

  struct Curve: Decodable {
    let name: String
    let scores: [Double]
    let labels: [Int]
    let fpr: [Double]
    let tpr: [Double]
    let thresholds: [Double]
    let auroc: Double
    let tprAtFpr: [[Double]]
    let pROC: [String: Double]

    var sample: LabelledScores {
      get throws { try LabelledScores(scores: scores, labels: labels.map { $0 == 1 }) }
    }
  }

  struct Pair: Decodable {
    let first: String
    let second: String
    let z: Double
    let p: Double
    let lower: Double
    let upper: Double
  }

  struct Bootstrap: Decodable {
    let name: String
    let scores: [Double]
    let other: [Double]
    let labels: [Int]
    let clusters: [Int]
    let seed: UInt64
    let replicates: Int
    let undefined: Int
    let quantiles: [Double]
    let standardError: Double
    let differenceQuantiles: [Double]
    let meanQuantiles: [Double]
    let auroc: Double
    let obuchowskiVariance: Double
    let clusterMeans: [Double]

    var sample: LabelledScores {
      get throws {
        try LabelledScores(scores: scores, labels: labels.map { $0 == 1 }, clusters: clusters)
      }
    }
  }

  struct ClusteredProportion: Decodable {
    let outcomes: [Int]
    let clusters: [Int]
    let interval: [Double]
  }

  struct Paired: Decodable {
    let mcnemar: [[Double]]
    let tango: [[Double]]
    let tost: [TOST]
    let holm: [Holm]
  }

  struct TOST: Decodable {
    let first: [Double]
    let second: [Double]
    let margin: [Double]
    let pT1P1T2P2LowHigh: [Double]
  }

  struct Holm: Decodable {
    let p: [Double]
    let adjusted: [Double]
  }

  static let recorded = Result {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Fixtures/statistics.json")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Fixtures.self, from: Data(contentsOf: file))
  }

  static func load() throws -> Fixtures { try recorded.get() }
}
