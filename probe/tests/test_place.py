"""What machine this is, from texts and numbers."""
import unittest

from . import HERE  # noqa: F401
import place

# As nvidia-smi -q prints it, cut to what is read.
SMI = """
==============NVSMI LOG==============

Driver Version                            : 550.90.07
CUDA Version                              : 12.4

Attached GPUs                             : 1
GPU 00000000:02:00.0
    Product Name                          : NVIDIA A100-10C
    MIG Mode
        Current                           : Disabled
        Pending                           : Disabled
    GPU Virtualization Mode
        Virtualization Mode               : VGPU
        Host VGPU Mode                    : N/A
    PCI
        Device Id                         : 0x20F110DE
"""

GUEST = "processor : 0\nflags\t\t: fpu vme hypervisor lahf_lm\n"
BARE = "processor : 0\nflags\t\t: fpu vme lahf_lm\n"


class Smi(unittest.TestCase):
    def test_a_guest_is_read(self):
        self.assertEqual(place.of_smi(SMI), {"driver": "550.90.07", "card": "NVIDIA A100-10C", "pci_id": "0x20F110DE",
                                             "mode": 2, "mig": False})

    def test_every_mode_that_is_printed(self):
        for printed, mode in (("None", 0), ("Pass-Through", 1), ("VGPU", 2), ("Host VGPU", 3), ("Host VSGA", 4)):
            text = SMI.replace(": VGPU", ": " + printed)
            self.assertEqual(place.of_smi(text).get("mode"), mode)
        self.assertNotIn("mode", place.of_smi(SMI.replace(": VGPU", ": N/A")))

    def test_nothing_is_made_of_nothing(self):
        self.assertEqual(place.of_smi(""), {})


class Hypervisor(unittest.TestCase):
    def test_boards(self):
        for vendor, product, name in (("VMware, Inc.", "VMware7,1", "VMware"), ("QEMU", "Standard PC", "KVM (QEMU)"),
                                      ("Nutanix", "AHV", "Nutanix AHV"), ("Xen", "HVM domU", "Xen"),
                                      ("Microsoft Corporation", "Virtual Machine", "Hyper-V"),
                                      ("Acme", "Cloud", "an unknown hypervisor")):
            self.assertEqual(place.hypervisor(GUEST, vendor, product, lscpu=""), name)

    def test_a_machine_without_a_board_is_asked_by_lscpu(self):
        told = "Virtualization features:\n  Hypervisor vendor:      KVM\n  Virtualization type:    full\n"
        self.assertEqual(place.hypervisor(GUEST, "", "", lscpu=told), "KVM")

    def test_bare_metal(self):
        self.assertIsNone(place.hypervisor(BARE, "Dell Inc.", "PowerEdge R7525"))
        # Windows laptops and servers of Google's or Microsoft's make have no flag.
        self.assertIsNone(place.hypervisor(BARE, "Google", "Pixelbook"))


class Device(unittest.TestCase):
    def kind(self, name, mode, guest=None):
        return place.of_device(name, {} if mode is None else {"mode": mode}, guest)["kind"]

    def test_kinds(self):
        self.assertEqual(self.kind("NVIDIA H200", 0), "host")
        self.assertEqual(self.kind("NVIDIA H200", 3), "vgpu-host")
        self.assertEqual(self.kind("NVIDIA A100-SXM4-40GB MIG 1g.5gb", 0), "mig")
        self.assertEqual(self.kind("GRID A100-10C", 2, "VMware"), "vgpu")
        self.assertEqual(self.kind("NVIDIA L40S", 1, "KVM"), "passthrough")
        self.assertEqual(self.kind("NVIDIA L40S", None, "KVM"), "passthrough")
        self.assertEqual(self.kind("NVIDIA L40S", None), "unknown")

    def test_words_say_both(self):
        words = place.of_device("NVIDIA A100-SXM4-40GB MIG 2g.10gb", {"mode": 2}, "VMware")["words"]
        self.assertEqual(words, "a MIG instance, 2g.10gb, behind a vGPU under VMware")


if __name__ == "__main__":
    unittest.main()
