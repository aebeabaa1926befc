//! The little linear algebra of a least-squares fit: symmetric positive matrices of a few rows.
//!
//! Textbook Cholesky (Golub and Van Loan, Matrix Computations, 4.2); nothing here is large.

/// Lower triangle L with `a = L L^T`; nothing when `a` is not positive.
pub(super) fn cholesky(a: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let size = a.len();
    let mut lower = vec![vec![0.0; size]; size];
    for row in 0..size {
        for column in 0..=row {
            let done: f64 = (0..column).map(|k| lower[row][k] * lower[column][k]).sum();
            let rest = a[row][column] - done;
            lower[row][column] = match row == column {
                true if rest <= 0.0 || !rest.is_finite() => return None,
                true => rest.sqrt(),
                false => rest / lower[column][column],
            };
        }
    }
    Some(lower)
}

/// The x with `a x = b`, `lower` being the Cholesky factor of a.
pub(super) fn solve(lower: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let size = b.len();
    let mut x = b.to_vec();
    for row in 0..size {
        let done: f64 = (0..row).map(|k| lower[row][k] * x[k]).sum();
        x[row] = (x[row] - done) / lower[row][row];
    }
    for row in (0..size).rev() {
        let done: f64 = (row + 1..size).map(|k| lower[k][row] * x[k]).sum();
        x[row] = (x[row] - done) / lower[row][row];
    }
    x
}

/// The inverse of the matrix whose Cholesky factor is `lower`.
pub(super) fn inverse(lower: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let size = lower.len();
    let unit = |at: usize| (0..size).map(|k| f64::from(u8::from(k == at))).collect::<Vec<_>>();
    (0..size).map(|at| solve(lower, &unit(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved_and_inverted() {
        // [[4, 2], [2, 3]] x = [2, 5] has x = [-0.5, 2]; its inverse is [[3, -2], [-2, 4]] / 8.
        let a = vec![vec![4.0, 2.0], vec![2.0, 3.0]];
        let lower = cholesky(&a).unwrap();
        for (found, wanted) in solve(&lower, &[2.0, 5.0]).iter().zip([-0.5, 2.0]) {
            assert!((found - wanted).abs() < 1e-12, "{found}");
        }
        for (found, wanted) in inverse(&lower).concat().iter().zip([0.375, -0.25, -0.25, 0.5]) {
            assert!((found - wanted).abs() < 1e-12);
        }
        assert!(cholesky(&[vec![1.0, 2.0], vec![2.0, 1.0]]).is_none());
    }
}
