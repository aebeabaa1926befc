"""The probe's kernels, as PTX text: the driver assembles them for whatever GPU is there.

No compiler is needed. `tests/test_kernels.py` puts them through ptxas for every architecture where a ptxas
is installed (CUDA, or the pip packages nvidia-cuda-nvcc-cu12 and nvidia-cuda-nvcc).

work    Fixed work: a chain of dependent multiply-adds. It cannot end early while it is switched out, as a
        spin on a clock would. Notes the first start and the last end of its blocks.
watch   Reads %globaltimer without pause and notes each gap over a threshold: each time it was switched out.
        `watch_fat` holds 200 registers of 256 threads meanwhile, so that there is much to save.
count   Each block notes the SM that it is on.
"""

import struct

# PTX ISA 6.0 came with CUDA 9: drivers of 2017 and later read it. Pascal and newer.
HEAD = ".version 6.0\n.target sm_60\n.address_size 64\n"

TURN = 32  # multiply-adds in one turn of the work loop


def single(value):
    """A number as PTX writes it exactly."""
    return "0f%08X" % struct.unpack("<I", struct.pack("<f", value))[0]


WORK = """
.visible .entry work(.param .u64 turns, .param .f32 seed, .param .u64 sink, .param .u64 starts, .param .u64 ends)
{
    .reg .pred %again, %hit, %notes, %first;
    .reg .u32 %thread;
    .reg .u64 %left, %to, %start_at, %end_at, %now;
    .reg .f32 %x, %seed;
    ld.param.u64 %left, [turns];
    ld.param.f32 %seed, [seed];
    ld.param.u64 %to, [sink];
    ld.param.u64 %start_at, [starts];
    ld.param.u64 %end_at, [ends];
    cvta.to.global.u64 %to, %to;
    mov.u32 %thread, %tid.x;
    setp.ne.u64 %notes, %start_at, 0;
    setp.eq.and.u32 %first, %thread, 0, %notes;
    cvta.to.global.u64 %start_at, %start_at;
    cvta.to.global.u64 %end_at, %end_at;
    @!%first bra begin;
    mov.u64 %now, %globaltimer;
    red.global.min.u64 [%start_at], %now;
begin:
    cvt.rn.f32.u32 %x, %thread;
    add.f32 %x, %x, %seed;
loop:
CHAIN
    sub.u64 %left, %left, 1;
    setp.gt.s64 %again, %left, 0;
    @%again bra loop;
    setp.eq.f32 %hit, %x, NEVER;
    @%hit st.global.f32 [%to], %x;
    bar.sync 0;
    @!%first bra done;
    mov.u64 %now, %globaltimer;
    red.global.max.u64 [%end_at], %now;
done:
    ret;
}
"""
# The result is used only if it is one certain number, which an assembler cannot rule out.
WORK = WORK.replace("NEVER", single(12345.678))
WORK = WORK.replace("CHAIN", "\n".join(["    fma.rn.f32 %%x, %%x, %s, %%seed;" % single(0.9999)] * TURN))

WATCH = """
.visible .entry NAME(.param .u64 duration, .param .u64 threshold, .param .u64 guard, .param .u64 gaps,
    .param .u32 cap, .param .u32 every, .param .u64 heads, .param .u64 load)
{
    .reg .pred %first, %short, %here, %room, %over, %lost, %hit;
    .reg .u32 %thread, %block, %sm, %cap, %every, %rest, %n;
    .reg .u64 %duration, %threshold, %guard, %gaps, %heads, %load, %start, %last, %now, %since, %turns, %at, %wide;
    HELD
    ld.param.u64 %duration, [duration];
    ld.param.u64 %threshold, [threshold];
    ld.param.u64 %guard, [guard];
    ld.param.u64 %gaps, [gaps];
    ld.param.u32 %cap, [cap];
    ld.param.u32 %every, [every];
    ld.param.u64 %heads, [heads];
    ld.param.u64 %load, [load];
    cvta.to.global.u64 %gaps, %gaps;
    cvta.to.global.u64 %heads, %heads;
    cvta.to.global.u64 %load, %load;
    mov.u32 %thread, %tid.x;
    mov.u32 %block, %ctaid.x;
    mov.u32 %sm, %smid;
    TAKE
    setp.ne.u32 %first, %thread, 0;
    @%first bra joined;
    mul.wide.u32 %wide, %block, %cap;
    shl.b64 %wide, %wide, 4;
    add.u64 %at, %gaps, %wide;
    rem.u32 %rest, %sm, %every;
    setp.eq.u32 %here, %rest, 0;
    mov.u32 %n, 0;
    mov.u64 %turns, 0;
    mov.u64 %start, %globaltimer;
    mov.u64 %last, %start;
loop:
    mov.u64 %now, %globaltimer;
    sub.u64 %since, %now, %last;
    setp.le.u64 %short, %since, %threshold;
    @%short bra next;
    setp.lt.and.u32 %room, %n, %cap, %here;
    @!%room bra next;
    st.global.u64 [%at], %last;
    st.global.u64 [%at+8], %now;
    add.u64 %at, %at, 16;
    add.u32 %n, %n, 1;
next:
    mov.u64 %last, %now;
    add.u64 %turns, %turns, 1;
    sub.u64 %since, %now, %start;
    setp.gt.u64 %over, %since, %duration;
    setp.gt.or.u64 %lost, %turns, %guard, %over;
    @!%lost bra loop;
    mul.wide.u32 %wide, %block, 32;
    add.u64 %at, %heads, %wide;
    cvt.u64.u32 %wide, %sm;
    st.global.u64 [%at], %wide;
    st.global.u64 [%at+8], %start;
    st.global.u64 [%at+16], %now;
    cvt.u64.u32 %wide, %n;
    st.global.u64 [%at+24], %wide;
joined:
    bar.sync 0;
    GIVE
    ret;
}
"""


def watch(name, registers):
    """A watching kernel that holds so many registers more than it needs, in every thread."""
    held = range(registers)
    take = ["ld.volatile.global.f32 %%held%d, [%%load+%d];" % (i, 4 * (i % 64)) for i in held]
    give = ["st.volatile.global.f32 [%%load+%d], %%held%d;" % (4 * (i % 64), i) for i in held]
    text = WATCH.replace("NAME", name)
    text = text.replace("HELD", ".reg .f32 %%held<%d>;" % registers if registers else "")
    text = text.replace("TAKE", "\n    ".join(take))
    return text.replace("GIVE", "\n    ".join(give))


COUNT = """
.visible .entry count(.param .u64 flags, .param .u64 stay)
{
    .reg .pred %again;
    .reg .u32 %sm, %one;
    .reg .u64 %flags, %stay, %start, %now, %wide;
    ld.param.u64 %flags, [flags];
    ld.param.u64 %stay, [stay];
    cvta.to.global.u64 %flags, %flags;
    mov.u32 %sm, %smid;
    mul.wide.u32 %wide, %sm, 4;
    add.u64 %flags, %flags, %wide;
    mov.u32 %one, 1;
    st.global.u32 [%flags], %one;
    mov.u64 %start, %globaltimer;
loop:
    mov.u64 %now, %globaltimer;
    sub.u64 %now, %now, %start;
    setp.lt.u64 %again, %now, %stay;
    @%again bra loop;
    ret;
}
"""


def text():
    """One module with every kernel."""
    return HEAD + WORK + watch("watch", 0) + watch("watch_fat", 200) + COUNT
