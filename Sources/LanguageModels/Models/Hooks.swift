package import Tensors

/// What to read and what to change during one forward pass.
package struct Hooks {
  /// A change made at a site.
  package enum Intervention {
    /// Puts another tensor of the same shape in place.
    case replace(Tensor)
    /// Adds a tensor that broadcasts to the site's shape.
    case add(Tensor)
    /// Sets everything to zero.
    case ablate
    /// Puts what the function makes of the activation in its place.
    case transform((Tensor) -> Tensor)
  }

  /// Sites whose activations are kept, as they are after interventions.
  package var captures: Set<Site>
  /// Changes, applied in order.
  package var interventions: [(site: Site, change: Intervention)]

  package init(
    captures: Set<Site> = [], interventions: [(site: Site, change: Intervention)] = []
  ) {
    self.captures = captures
    self.interventions = interventions
  }

  func mentions(_ site: Site) -> Bool {
    captures.contains(site) || interventions.contains { $0.site == site }
  }
}

/// Applies hooks as the forward pass comes by, and knows afterwards which never fired.
struct HookRunner {
  let hooks: Hooks
  private(set) var captured: [Site: Tensor] = [:]
  private var reached: Set<Site> = []

  init(_ hooks: Hooks) { self.hooks = hooks }

  mutating func at(_ site: Site, _ value: Tensor) throws(SiteError) -> Tensor {
    guard hooks.mentions(site) else { return value }
    reached.insert(site)
    var value = value
    for (target, change) in hooks.interventions where target == site {
      let changed = apply(change, to: value)
      guard changed.shape == value.shape else {
        throw .shape(site: site, expected: value.shape, found: changed.shape)
      }
      value = changed
    }
    if hooks.captures.contains(site) { captured[site] = value }
    return value
  }

  private func apply(_ change: Hooks.Intervention, to value: Tensor) -> Tensor {
    switch change {
    case .replace(let other): other
    case .add(let other): value + other
    case .ablate: Tensor.zeros(value.shape)
    case .transform(let function): function(value)
    }
  }

  func finish() throws(SiteError) -> [Site: Tensor] {
    let asked = hooks.captures.union(hooks.interventions.map(\.site))
    if let missed = asked.subtracting(reached).min(by: { "\($0)" < "\($1)" }) {
      throw .neverReached(site: missed)
    }
    return captured
  }
}
