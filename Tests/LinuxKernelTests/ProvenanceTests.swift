import KernelVA
import Testing

/// What is said of where a fact is from: JSON has these texts.
@Suite struct ProvenanceTests {
  @Test func words() {
    let line = Provenance.vmcoreinfo(key: "NUMBER(VA_BITS)", origin: "VMCOREINFO")
    let override = Provenance.override(.swapperPgDir, name: "--swapper-pg-dir")
    #expect("\(line)" == "VMCOREINFO NUMBER(VA_BITS)")
    #expect("\(override)" == "--swapper-pg-dir")
    #expect("\(Provenance.variable("vabits_actual"))" == "the variable vabits_actual")
    #expect("\(Provenance.log)" == "the kernel's log")
    #expect("\(Provenance.derived(from: override, "minus kimage_voffset"))" == "--swapper-pg-dir minus kimage_voffset")
    #expect(Sourced(48, "VA_BITS, which leaves no choice").source == "VA_BITS, which leaves no choice")
    #expect(Sourced(48, line).source == "VMCOREINFO NUMBER(VA_BITS)")
  }
}
