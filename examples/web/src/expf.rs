//! The exponential of single precision as the program has it, by which sizes of queries are drawn: the algorithm
//! of ARM's optimized routines, which both C libraries of Linux use (MIT). That of Rust's own library for
//! WebAssembly is one unit in the last place away for some values, and runs of models with queries of unlike
//! size would differ.

const STEPS: u64 = 32;

/// 2^(i/32), by square roots of square roots.
fn root(index: u64) -> f64 {
    let mut found = 1.0;
    let mut part = 2.0_f64;
    for bit in (0..5).rev() {
        part = part.sqrt();
        if index >> bit & 1 == 1 {
            found *= part;
        }
    }
    found
}

/// Takes the place of the function of that name in Rust's library.
#[unsafe(no_mangle)]
extern "C" fn expf(x: f32) -> f32 {
    // Beyond these the result is infinite or none; not a number stays what it is.
    if x > 88.72 || x < -103.9 || x.is_nan() {
        return if x.is_nan() {
            x
        } else if x > 0.0 {
            f32::INFINITY
        } else {
            0.0
        };
    }
    let n = STEPS as f64;
    let z = std::f64::consts::LOG2_E * n * f64::from(x);
    let whole = z.round_ties_even();
    let r = z - whole;
    let whole = whole as i64;
    let index = whole.rem_euclid(STEPS as i64) as u64;
    let power = (whole - index as i64) / STEPS as i64;
    let scale = root(index) * f64::from_bits(((1023 + power) as u64) << 52);
    // 0x1.c6af84b912394p-5, 0x1.ebfce50fac4f3p-3 and 0x1.62e42ff0c52d6p-1.
    let c0 = f64::from_bits(0x3fac_6af8_4b91_2394) / n / n / n;
    let c1 = f64::from_bits(0x3fce_bfce_50fa_c4f3) / n / n;
    let c2 = f64::from_bits(0x3fe6_2e42_ff0c_52d6) / n;
    let (high, low) = (c0 * r + c1, c2 * r + 1.0);
    ((high * (r * r) + low) * scale) as f32
}
