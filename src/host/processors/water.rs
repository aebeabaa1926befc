//! Water filling: what every VM gets of a capacity by its reservation, limit and shares.
//!
//! A pure function; it knows no time and no vCPUs.

/// What one VM may get, in the unit of the capacity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Demand {
    /// It gets this much whatever the others want: the lesser of reservation and `most`.
    pub least: u64,
    /// It gets no more than this: the lesser of what it wants and its limit.
    pub most: u64,
    /// Its shares; at least one.
    pub shares: u64,
}

/// A point of the water level, as the fraction `amount / shares`, at which a VM leaves its floor or
/// comes to its ceiling.
struct Bend {
    amount: u64,
    shares: u64,
    /// Leaves the floor; else comes to the ceiling.
    leaves: bool,
    least: u64,
}

/// What each VM gets of `capacity`: `clamp(h * shares, least, most)`, with the one water level `h`
/// (capacity per share) at which all of it is given away, or `most` where that is no more than the
/// capacity. Rounded down, so up to one unit for each VM is left.
///
/// The sum is a continuous function of `h` that never falls, and it bends at `least / shares` and
/// `most / shares` of each VM: sorted, one walk over these finds the level exactly, in O(n log n).
/// Where the floors alone are more than the capacity they are cut in proportion.
pub fn fill(capacity: u128, demands: &[Demand]) -> Vec<u64> {
    let all = |of: fn(&Demand) -> u64| demands.iter().map(|demand| u128::from(of(demand))).sum();
    let (most, least): (u128, u128) = (all(|demand| demand.most), all(|demand| demand.least));
    if most <= capacity {
        return demands.iter().map(|demand| demand.most).collect();
    }
    if least >= capacity {
        let cut = |demand: &Demand| (u128::from(demand.least) * capacity / least) as u64;
        return demands.iter().map(cut).collect();
    }
    let bends = demands.iter().flat_map(|&Demand { least, most, shares }| {
        [(least, true), (most, false)].map(|(amount, leaves)| Bend {
            amount,
            shares,
            leaves,
            least,
        })
    });
    let mut bends: Vec<Bend> = bends.collect();
    bends.sort_by(|one, other| {
        let of = |bend: &Bend, by: &Bend| u128::from(bend.amount) * u128::from(by.shares);
        of(one, other).cmp(&of(other, one))
    });
    // Below the first bend everybody is on the floor; between two bends the sum is
    // `fixed + level * rising`.
    let (mut fixed, mut rising) = (least, 0_u128);
    let mut level = (0, 1);
    for Bend { amount, shares, leaves, least } in bends {
        let (amount, shares) = (u128::from(amount), u128::from(shares));
        // The level at which all is given away, if nothing bends before it.
        if rising > 0 && (capacity - fixed) * shares <= amount * rising {
            level = (capacity - fixed, rising);
            break;
        }
        if leaves {
            (fixed, rising) = (fixed - u128::from(least), rising + shares);
        } else {
            (fixed, rising) = (fixed + amount, rising - shares);
        }
    }
    let (above, below) = level;
    let got = |demand: &Demand| {
        let share = above * u128::from(demand.shares) / below;
        share.clamp(u128::from(demand.least), u128::from(demand.most)) as u64
    };
    demands.iter().map(got).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(most: u64, shares: u64, least: u64) -> Demand {
        Demand { least: least.min(most), most, shares }
    }

    /// Frank Denneman, "Reservations and CPU scheduling" (2010-06-08): of 6000 MHz one VM wants 500,
    /// the others all; 1000, 1000 and 2000 shares, and the second has a reservation of 2250. With
    /// `500 + max(2250, 1000 h) + 2000 h = 6000` h is 1.625, so the second stays on its floor. If
    /// the third wants 2000 only, `500 + 1000 h + 2000 = 6000` has h = 3.5. (The article's last
    /// sentences swap the names of the second and the third; its figures are these.)
    #[test]
    fn the_published_example_is_met() {
        let first = demand(500, 1000, 0);
        let second = demand(6000, 1000, 2250);
        assert_eq!(fill(6000, &[first, second, demand(6000, 2000, 0)]), [500, 2250, 3250]);
        assert_eq!(fill(6000, &[first, second, demand(2000, 2000, 0)]), [500, 3500, 2000]);
    }

    /// 16 cores for four VMs of 8 vCPUs, in thousandths of a core: three want 7.2 cores, the last 8;
    /// high, normal, normal and low shares; the first reserves 4 cores, the third is limited to 4.
    /// Nobody is on a floor or at a ceiling, so `h = 16 / (16000 + 8000 + 8000 + 4000)` cores a share,
    /// 1.1556 MHz with cores of 2600 MHz, and they get 7.11, 3.56, 3.56 and 1.78 cores.
    #[test]
    fn four_vms_on_half_of_their_cores() {
        let vms = [
            demand(7_200_000, 16_000, 4_000_000),
            demand(7_200_000, 8000, 0),
            demand(4_000_000, 8000, 0),
            demand(8_000_000, 4000, 0),
        ];
        assert_eq!(fill(16_000_000, &vms), [7_111_111, 3_555_555, 3_555_555, 1_777_777]);
    }

    #[test]
    fn floors_beyond_the_capacity_are_cut_in_proportion() {
        assert_eq!(fill(90, &[demand(100, 1, 100), demand(50, 9, 50)]), [60, 30]);
    }
}
