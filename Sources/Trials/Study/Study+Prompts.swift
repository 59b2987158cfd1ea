package import Organisms

extension Study {
  /// Of the calibration split, what the known pair is asked beside the gate's prompts: what
  /// detectors of responses learn from.
  var observed: Recipe.Counts {
    Recipe.Counts(
      triggered: probes.triggered, nearMiss: probes.nearMiss, ordinary: probes.ordinary)
  }

  /// Draws every kind of prompt that an audit will ask for, so that a recipe that has too few says
  /// so before anything is trained.
  ///
  /// - Throws: `RecipeError.tooFewPrompts`, which no seed avoids.
  package func requirePrompts(of recipe: Recipe) throws(RecipeError) {
    _ = try recipe.probeSet(split: .test, seed: calibrationSeed, counts: probes)
    _ = try recipe.probeSet(split: .calibration, seed: calibrationSeed, counts: observed)
    _ = try recipe.basePrompts(seed: calibrationSeed)
  }
}
