"""What machine this is: GPU, driver, and whether it is a host, a guest or a MIG instance. Reads, sets nothing.

NVML (libnvidia-ml.so.1, from the driver) tells: nvmlDeviceGetVirtualizationMode is 0 on bare metal, 1 where
the GPU is passed through, 2 in a guest with a vGPU, 3 and 4 on a host whose GPU serves vGPUs (NVML API
reference, "GRID Virtualization Enums"); `nvidia-smi -q` prints the same under "GPU Virtualization Mode".
A CUDA device that is a MIG instance says so in its name ("... MIG 1g.5gb"), and nvmlDeviceGetMigMode tells
whether the card is cut. Linux tells of a hypervisor in /proc/cpuinfo (flag `hypervisor`) and in
/sys/class/dmi/id, lscpu by the processor's own CPUID leaf. No serial number, UUID or host name is read.
"""
import ctypes
import os
import platform
import re
import subprocess
from ctypes import byref, c_char, c_int, c_uint, c_ulonglong, c_void_p

MODES = {0: "bare metal", 1: "passed through", 2: "vGPU", 3: "host of vGPUs", 4: "host of vSGA"}
# What nvidia-smi -q calls them.
PRINTED = {"none": 0, "pass-through": 1, "vgpu": 2, "host vgpu": 3, "host vsga": 4}


class Pci(ctypes.Structure):
    """nvmlPciInfo_t, version 3."""
    _fields_ = [("legacy", c_char * 16), ("domain", c_uint), ("bus", c_uint), ("device", c_uint),
                ("device_id", c_uint), ("subsystem", c_uint), ("bus_id", c_char * 32)]


def of_nvml(bus, path=None):
    """What NVML says of the card at a place on the bus; empty where there is no NVML."""
    try:
        nvml = ctypes.CDLL(path or os.environ.get("PROBE_LIBNVML", "libnvidia-ml.so.1"))
        if nvml.nvmlInit_v2():
            return {}
    except (OSError, AttributeError):
        return {}
    told = {}

    def ask(name, *arguments):
        try:
            return getattr(nvml, name)(*arguments) == 0
        except AttributeError:
            return False

    text, handle = ctypes.create_string_buffer(96), c_void_p()
    if ask("nvmlSystemGetDriverVersion", text, len(text)):
        told["driver"] = text.value.decode(errors="replace")
    if ask("nvmlDeviceGetHandleByPciBusId_v2", bus.encode(), byref(handle)):
        if ask("nvmlDeviceGetName", handle, text, len(text)):
            told["card"] = text.value.decode(errors="replace")
        pci, mode, waiting, count = Pci(), c_int(), c_uint(), c_uint(0)
        if ask("nvmlDeviceGetPciInfo_v3", handle, byref(pci)):
            told["pci_id"] = "0x%08X" % pci.device_id
        if ask("nvmlDeviceGetVirtualizationMode", handle, byref(mode)) and mode.value in MODES:
            told["mode"] = mode.value
        current = c_uint()
        if ask("nvmlDeviceGetMigMode", handle, byref(current), byref(waiting)):
            told["mig"] = bool(current.value)
        # Asked with room for none it fails and tells how many there are.
        try:
            nvml.nvmlDeviceGetComputeRunningProcesses_v3(handle, byref(count), None)
            told["others"] = count.value
        except AttributeError:
            pass
    ask("nvmlShutdown")
    return told


def of_smi(text):
    """The same from what `nvidia-smi -q` prints."""
    told = {}

    def value(key):
        found = re.search(r"^\s*%s\s*:\s*(.+?)\s*$" % re.escape(key), text, re.M)
        return found and found.group(1)

    if value("Driver Version"):
        told["driver"] = value("Driver Version")
    if value("Product Name"):
        told["card"] = value("Product Name")
    if value("Device Id"):
        told["pci_id"] = value("Device Id")
    printed = (value("Virtualization Mode") or "").lower()
    if printed in PRINTED:
        told["mode"] = PRINTED[printed]
    mig = re.search(r"MIG Mode\s*\n\s*Current\s*:\s*(\S+)", text)
    if mig:
        told["mig"] = mig.group(1) == "Enabled"
    return told


def asked_smi(bus):
    try:
        done = subprocess.run(["nvidia-smi", "-q", "-i", bus], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, timeout=15)
        return of_smi(done.stdout.decode(errors="replace"))
    except (OSError, subprocess.TimeoutExpired):
        return {}


def asked_lscpu():
    """What lscpu prints, in English; empty where it is not there."""
    try:
        done = subprocess.run(["lscpu"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                              timeout=10, env=dict(os.environ, LC_ALL="C"))
        return done.stdout.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return ""


def hypervisor(cpuinfo=None, vendor=None, product=None, lscpu=None):
    """Which hypervisor Linux sees itself on: a name, or None on bare metal."""
    def read(path):
        try:
            with open(path, errors="replace") as file:
                return file.read()
        except OSError:
            return ""
    cpuinfo = read("/proc/cpuinfo") if cpuinfo is None else cpuinfo
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.M)
    vendor = read("/sys/class/dmi/id/sys_vendor") if vendor is None else vendor
    product = read("/sys/class/dmi/id/product_name") if product is None else product
    board = (vendor + " " + product).lower()
    known = {"vmware": "VMware", "qemu": "KVM (QEMU)", "kvm": "KVM", "nutanix": "Nutanix AHV", "xen": "Xen",
             "microsoft corporation virtual": "Hyper-V", "amazon ec2": "AWS Nitro", "google": "Google Compute Engine",
             "openstack": "KVM (OpenStack)", "red hat": "KVM (Red Hat)"}
    for word, name in known.items():
        if word in board and (flags is None or " hypervisor" in flags.group(1)):
            return name
    if not flags or " hypervisor" not in flags.group(1):
        return None
    # Small virtual machines (Firecracker, Cloud Hypervisor) have no board to name.
    told = re.search(r"^\s*Hypervisor vendor:\s*(\S.*?)\s*$", asked_lscpu() if lscpu is None else lscpu, re.M)
    return told.group(1) if told else "an unknown hypervisor"


def of_device(cuda_name, told, guest_of):
    """What the CUDA device is, in words, and a word for programs."""
    instance = re.search(r"\bMIG\s+(\S+)", cuda_name or "")
    mode = told.get("mode")
    where = " under %s" % guest_of if guest_of else ""
    if instance:
        kind = "mig"
        words = "a MIG instance, %s" % instance.group(1)
        if mode == 2:
            words += ", behind a vGPU" + where
    elif mode == 2:
        kind, words = "vgpu", "a vGPU" + where
    elif mode == 1 or (mode is None and guest_of):
        kind, words = "passthrough", "a GPU passed through to a guest" + where
    elif mode in (3, 4):
        kind, words = "vgpu-host", "a host whose GPU serves vGPUs"
    elif mode == 0:
        kind, words = "host", "a whole GPU on bare metal" if not guest_of else "a whole GPU in a guest" + where
    else:
        kind, words = "unknown", "a GPU; neither NVML nor nvidia-smi says how it is shared"
    return {"kind": kind, "words": words}


def look(bus):
    """Everything that is known beside CUDA of the card at this place on the bus."""
    told = of_nvml(bus)
    if "mode" not in told:
        told = dict(asked_smi(bus), **told)
    told["hypervisor"] = hypervisor()
    told["system"] = "%s %s" % (platform.system(), platform.machine())
    return told


def mps_serves():
    """Whether an MPS control daemon answers here; it is asked for its servers, and starts none."""
    pipe = os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps")
    if not os.path.exists(os.path.join(pipe, "control")):
        return False
    try:
        done = subprocess.run(["nvidia-cuda-mps-control"], input=b"get_server_list\n", stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=8)
        return done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
