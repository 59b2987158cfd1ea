/// A named place in the forward pass.
///
/// | site | axes | TransformerLens |
/// |---|---|---|
/// | `embed` | `[token, dModel]` | `hook_embed` |
/// | `blocks.{i}.resid_pre` | `[token, dModel]` | `blocks.{i}.hook_resid_pre` |
/// | `blocks.{i}.attn.q` | `[token, nHeads, dHead]` | `blocks.{i}.attn.hook_q` |
/// | `blocks.{i}.attn.k`, `.v` | `[token, nKVHeads, dHead]` | `blocks.{i}.attn.hook_k`, `hook_v` |
/// | `blocks.{i}.attn.rot_q` | `[token, nHeads, dHead]` | `blocks.{i}.attn.hook_rot_q` |
/// | `blocks.{i}.attn.rot_k` | `[token, nKVHeads, dHead]` | `blocks.{i}.attn.hook_rot_k` |
/// | `blocks.{i}.attn.pattern` | `[nHeads, query, key]` | `blocks.{i}.attn.hook_pattern` |
/// | `blocks.{i}.attn.z` | `[token, nHeads, dHead]` | `blocks.{i}.attn.hook_z` |
/// | `blocks.{i}.attn.out` | `[token, dModel]` | `blocks.{i}.hook_attn_out` |
/// | `blocks.{i}.resid_mid` | `[token, dModel]` | `blocks.{i}.hook_resid_mid` |
/// | `blocks.{i}.mlp.gate` | `[token, dMLP]` | `blocks.{i}.mlp.hook_pre` |
/// | `blocks.{i}.mlp.up` | `[token, dMLP]` | `blocks.{i}.mlp.hook_pre_linear` |
/// | `blocks.{i}.mlp.post` | `[token, dMLP]` | `blocks.{i}.mlp.hook_post` |
/// | `blocks.{i}.mlp.out` | `[token, dModel]` | `blocks.{i}.hook_mlp_out` |
/// | `blocks.{i}.resid_post` | `[token, dModel]` | `blocks.{i}.hook_resid_post` |
/// | `final_norm` | `[token, dModel]` | `ln_final.hook_normalized` times its weight |
/// | `logits` | `[token, dVocab]` | the model's output |
///
/// `resid_pre` of block 0 is `embed`, and of block i + 1 `resid_post` of block i, under another
/// name: an intervention at either changes both.
package enum Site: Hashable, Sendable, CustomStringConvertible {
  /// The places within a block, in the order of computation.
  package enum Place: String, CaseIterable, Sendable {
    case residPre = "resid_pre"
    case q = "attn.q"
    case k = "attn.k"
    case v = "attn.v"
    case rotQ = "attn.rot_q"
    case rotK = "attn.rot_k"
    case pattern = "attn.pattern"
    case z = "attn.z"
    case attnOut = "attn.out"
    case residMid = "resid_mid"
    case gate = "mlp.gate"
    case up = "mlp.up"
    case post = "mlp.post"
    case mlpOut = "mlp.out"
    case residPost = "resid_post"
  }

  case embed
  case block(Int, Place)
  case finalNorm
  case logits

  package var description: String {
    switch self {
    case .embed: "embed"
    case .block(let i, let place): "blocks.\(i).\(place.rawValue)"
    case .finalNorm: "final_norm"
    case .logits: "logits"
    }
  }

  /// Reads a site's name for a model of `nLayers` blocks.
  ///
  /// - Throws: ``SiteError/unknown(name:nLayers:)`` where the model has no such site.
  package init(_ name: String, nLayers: Int) throws(SiteError) {
    let simple: [String: Site] = [
      "embed": .embed, "final_norm": .finalNorm, "logits": .logits,
    ]
    if let site = simple[name] {
      self = site
      return
    }
    let parts = name.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "blocks", let i = Int(parts[1]), String(i) == parts[1],
      (0..<nLayers).contains(i), let place = Place(rawValue: String(parts[2]))
    else { throw .unknown(name: name, nLayers: nLayers) }
    self = .block(i, place)
  }
}

/// What can go wrong when sites are asked for.
package enum SiteError: Error, Equatable, CustomStringConvertible {
  case unknown(name: String, nLayers: Int)
  /// The forward pass never came by the site, so its hook would silently have done nothing.
  case neverReached(site: Site)
  /// An intervention returned a tensor of another shape.
  case shape(site: Site, expected: [Int], found: [Int])

  package var description: String {
    switch self {
    case .unknown(let name, let nLayers):
      "Expected a site such as `embed`, `blocks.0.resid_post` … `blocks.\(nLayers - 1).mlp.out`, "
        + "`final_norm` or `logits`, found `\(name.prefix(80))`: places within a block are "
        + Site.Place.allCases.map(\.rawValue).joined(separator: ", ")
    case .neverReached(let site):
      "Expected the forward pass to reach `\(site)`, found that it never did: "
        + "`logits` and `final_norm` exist only in passes that compute them"
    case .shape(let site, let expected, let found):
      "Expected the intervention at `\(site)` to keep the shape \(expected), found \(found)"
    }
  }
}
