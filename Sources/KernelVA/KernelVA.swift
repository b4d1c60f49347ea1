@_exported import Bytes
@_exported import CrashDump
@_exported import DebugInfo
@_exported import KernelLayout
@_exported import LinuxKernel
@_exported import VMSA
