// swift-tools-version: 6.2
import PackageDescription

// Plumbline binds MLX's C++ library from its Python wheel, unpacked by Scripts/bootstrap into
// `.deps/`. Unsafe flags are unavoidable: neither the wheel nor Debian's oneDNN has a
// package-manager module, and only a root package may point at them.
let root = Context.packageDirectory
let mlx = "\(root)/.deps/mlx"

// Where oneDNN, Highway and OpenMP are, and what linker and loader call things; macOS is not tried.
// Symbols are exported because our `cblas_sgemm` has to be visible to libmlx, and found before the
// wheel's reference BLAS.
#if os(macOS)
  let homebrew = Context.environment["HOMEBREW_PREFIX"] ?? "/opt/homebrew"
  let include = ["-I\(homebrew)/include"]
  let link = ["-L\(homebrew)/lib", "-L\(homebrew)/opt/libomp/lib", "-Xlinker", "-export_dynamic"]
  let besideProgram = "@loader_path"
  let openMP = "omp"
  // SwiftPM looks for it in Homebrew's folder of the provider.
  let openSSL: String? = "libcrypto"
#else
  let include: [String] = []
  let link = ["-Xlinker", "--export-dynamic"]
  let besideProgram = "$ORIGIN"
  let openMP = "gomp"
  let openSSL: String? = nil
#endif

let upcoming: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let linkMLX: [LinkerSetting] = [
  .unsafeFlags(link),
  .unsafeFlags([
    "-L\(mlx)/lib",
    "-Xlinker", "-rpath", "-Xlinker", "\(besideProgram)/../lib/plumbline",
    "-Xlinker", "-rpath", "-Xlinker", "\(mlx)/lib",
  ]),
  .linkedLibrary("dnnl"), .linkedLibrary(openMP), .linkedLibrary("hwy"),
  .linkedLibrary("mlx"), .linkedLibrary("m"),
]

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: upcoming)
}

/// Fixtures are found beside the tests' sources, not bundled.
func tests(
  _ name: String, _ dependencies: [Target.Dependency], fixtures: Bool = false
) -> Target {
  .testTarget(
    name: name, dependencies: dependencies + ["TestSupport"],
    exclude: fixtures ? ["Fixtures"] : [], swiftSettings: upcoming)
}

let package = Package(
  name: "plumbline",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "plumbline", targets: ["plumbline"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: [
    .target(
      name: "CMLX",
      cxxSettings: [
        .unsafeFlags([
          "-I\(mlx)/include", "-I\(root)/Sources/CMLX", "-O3", "-fno-math-errno", "-Wall",
          // Whether the MLX that was unpacked is one for GPUs.
          "-include", "\(root)/.deps/stamps/mlx.h",
          // MLX's own headers use std::bind, which GCC 12 marks as deprecated inside.
          "-Wno-deprecated-declarations",
        ]),
        .unsafeFlags(include),
      ],
      linkerSettings: linkMLX),
    library("Statistics", []),
    .systemLibrary(
      name: "COpenSSL", pkgConfig: openSSL,
      providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
    library("Digests", ["COpenSSL"]),
    library(
      "Lab",
      ["Digests", "Statistics", .product(name: "GRDB", package: "GRDB.swift"), "Yams"]),
    library("Tensors", ["CMLX"]),
    library("LanguageModels", ["Digests", "Tensors"]),
    library("Training", ["LanguageModels", "Tensors"]),
    // Recipes are files in the program, because an installed one must find them from anywhere.
    .target(
      name: "Organisms",
      dependencies: ["Training", "LanguageModels", "Tensors", "Lab", "Statistics"],
      resources: ["common", "M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8", "M9"].map {
        .embedInCode("Recipes/Files/\($0).yaml")
      }, swiftSettings: upcoming),
    library("Instruments", ["Training", "LanguageModels", "Tensors", "Lab", "Statistics"]),
    library(
      "Trials",
      ["Organisms", "Instruments", "Training", "LanguageModels", "Tensors", "Lab", "Statistics"]),
    library(
      "Studio", ["Trials", "Organisms", "Instruments", "LanguageModels", "Lab", "Statistics"]),
    .executableTarget(
      name: "plumbline",
      dependencies: [
        "Trials", "Studio", "Organisms", "Instruments", "Training", "LanguageModels", "Lab",
        "Statistics", "Tensors",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: upcoming),
    // Our side of `make bench`; no part of the program.
    .executableTarget(
      name: "plumbline-bench",
      dependencies: ["Instruments", "LanguageModels", "Tensors", "Training"],
      path: "Benchmarks/Worker", swiftSettings: upcoming),
    .target(
      name: "TestSupport", dependencies: ["Lab"], path: "Tests/TestSupport",
      swiftSettings: upcoming),
    .executableTarget(
      name: "CrashingRun", dependencies: ["Lab"], path: "Tests/CrashingRun",
      swiftSettings: upcoming),
    .executableTarget(
      name: "LoopbackServer", path: "Tests/LoopbackServer", swiftSettings: upcoming),
    tests("StatisticsTests", ["Statistics"], fixtures: true),
    tests("LabTests", ["Lab", "Statistics", "CrashingRun"]),
    tests(
      "StudioTests",
      ["Studio", "Trials", "Organisms", "LanguageModels", "Lab", "Statistics"]),
    tests("TensorsTests", ["Tensors"]),
    tests(
      "LanguageModelsTests", ["LanguageModels", "Tensors", "Digests", "LoopbackServer"],
      fixtures: true),
    tests("TrainingTests", ["Training", "LanguageModels", "Tensors"], fixtures: true),
    tests(
      "InstrumentsTests",
      ["Instruments", "Training", "LanguageModels", "Tensors", "Lab", "Statistics"],
      fixtures: true),
    tests(
      "TrialsTests",
      [
        "Trials", "Studio", "Organisms", "Instruments", "Training", "LanguageModels", "Lab",
        "Statistics", "Tensors",
      ]),
    tests("CommandTests", ["plumbline", "CrashingRun", "LoopbackServer"]),
  ],
  cxxLanguageStandard: .cxx20
)
