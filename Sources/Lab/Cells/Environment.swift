/// What a cell's bytes depend on besides its configuration and inputs.
///
/// Floating-point results differ between builds, devices and instruction sets, so all three are
/// part of a cell's name. The caller says what they are; Lab knows nothing of hardware.
package struct Environment: Codable, Equatable, Sendable {
  /// Version or commit of the program.
  package var build: String
  /// What computes, for example `cpu` or `NVIDIA H100`.
  package var device: String
  /// The instruction set in use, for example `avx512`.
  package var instructionSet: String

  /// An environment as the caller describes it.
  package init(build: String, device: String, instructionSet: String) {
    self.build = build
    self.device = device
    self.instructionSet = instructionSet
  }
}
