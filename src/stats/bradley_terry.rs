//! Ratings from choices among two or more.
//!
//! Each player i has a strength θᵢ, and is chosen among the players S with the probability exp(θᵢ) / Σ exp(θⱼ), j ∈ S. Between
//! two players this is the model of Bradley and Terry: i wins against j with the probability 1 / (1 + exp(θⱼ − θᵢ)). Bradley,
//! R. A., and Terry, M. E. (1952): Rank analysis of incomplete block designs: I. The method of paired comparisons. Biometrika
//! 39, 324–345. For more than two it is Luce's: Luce, R. D. (1959): Individual Choice Behavior. Taking a choice among three as two
//! games would count it twice, and make the intervals too narrow.

use super::{Interval, Z};

/// Each player also has half a win and half a loss against a player of average strength. So the strength of one who won
/// every time is finite, and players who never met can be estimated, with wide intervals.
const PRIOR: f64 = 0.5;

/// Newton's method on this concave function needs fewer than ten steps; the limit is for rounding errors.
const STEPS: usize = 100;

/// Steps smaller than this change no digit that is shown.
const PRECISION: f64 = 1e-10;

/// What is known of one player.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rating {
    /// θ, the natural logarithm of the odds against a player of average strength. The mean of all is 0.
    pub strength: f64,
    /// The interval of the strength.
    pub strength_interval: Interval,
    /// The probability to win against another of these players, on average over the others.
    pub win_rate: f64,
    /// The interval of the win rate.
    pub win_rate_interval: Interval,
}

/// One choice among players, by their indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Who could be chosen.
    pub among: Vec<usize>,
    /// Who was. Of several, each counts as a part of one choice: a tie between two is half a win for both.
    pub chosen: Vec<usize>,
}

/// The ratings of `count` players by these choices. Empty for fewer than two players.
pub fn ratings(count: usize, choices: &[Choice]) -> Vec<Rating> {
    let Fit { strengths, covariance } = fit(count, choices, PRIOR);
    if count < 2 {
        return Vec::new();
    }
    (0..count)
        .map(|i| {
            let error = covariance[i][i].max(0.0).sqrt();
            let (win_rate, error_of_logit) = average_win(i, &strengths, &covariance);
            let logit = (win_rate / (1.0 - win_rate)).ln();
            Rating {
                strength: strengths[i],
                strength_interval: Interval::new(strengths[i] - Z * error, strengths[i] + Z * error),
                win_rate,
                win_rate_interval: Interval::new(
                    logistic(logit - Z * error_of_logit),
                    logistic(logit + Z * error_of_logit),
                ),
            }
        })
        .collect()
}

/// The estimates, and the inverse of the observed information.
struct Fit {
    strengths: Vec<f64>,
    covariance: Vec<Vec<f64>>,
}

/// The strengths that make the choices most likely, together with `prior` wins and losses of each against an average player.
fn fit(count: usize, choices: &[Choice], prior: f64) -> Fit {
    let mut strengths = vec![0.0; count];
    let mut covariance = vec![vec![0.0; count]; count];
    for _ in 0..STEPS {
        let (gradient, information) = slope(choices, prior, &strengths);
        covariance = inverse(information);
        let step: Vec<f64> =
            covariance.iter().map(|row| row.iter().zip(&gradient).map(|(a, b)| a * b).sum::<f64>()).collect();
        let largest = step.iter().fold(0.0_f64, |largest, step| largest.max(step.abs()));
        // Far from the maximum, a full step could lead away from it.
        let scale = if largest > 1.0 { 1.0 / largest } else { 1.0 };
        strengths.iter_mut().zip(&step).for_each(|(strength, step)| *strength += scale * step);
        if largest < PRECISION {
            break;
        }
    }
    centred(strengths, covariance)
}

/// The fit, seen from the average player: the mean of the strengths is 0 and has no error.
fn centred(strengths: Vec<f64>, covariance: Vec<Vec<f64>>) -> Fit {
    let count = strengths.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let average = mean(&strengths);
    let of_rows: Vec<f64> = covariance.iter().map(|row| mean(row)).collect();
    let of_all = mean(&of_rows);
    let cell = |i: usize, j: usize| covariance[i][j] - of_rows[i] - of_rows[j] + of_all;
    Fit {
        covariance: (0..strengths.len()).map(|i| (0..strengths.len()).map(|j| cell(i, j)).collect()).collect(),
        strengths: strengths.iter().map(|strength| strength - average).collect(),
    }
}

/// The gradient of the log-likelihood, and the information (the negative of its second derivatives). A term that holds the
/// sum of strengths at 0 is added, because the likelihood depends on differences alone.
fn slope(choices: &[Choice], prior: f64, strengths: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let count = strengths.len();
    let sum: f64 = strengths.iter().sum();
    let mut gradient = vec![-sum; count];
    let mut information = vec![vec![1.0; count]; count];
    for i in 0..count {
        let alone = logistic(strengths[i]);
        gradient[i] += prior - 2.0 * prior * alone;
        information[i][i] += 2.0 * prior * alone * (1.0 - alone);
    }
    for Choice { among, chosen } in choices.iter().filter(|choice| !choice.chosen.is_empty()) {
        let share = 1.0 / chosen.len() as f64;
        chosen.iter().for_each(|i| gradient[*i] += share);
        let weights: Vec<f64> = among.iter().map(|i| strengths[*i].exp()).collect();
        let all: f64 = weights.iter().sum();
        for (i, weight) in among.iter().zip(&weights) {
            let expected = weight / all;
            gradient[*i] -= expected;
            information[*i][*i] += expected;
            for (j, other) in among.iter().zip(&weights) {
                information[*i][*j] -= expected * other / all;
            }
        }
    }
    (gradient, information)
}

/// The mean probability that player i wins against another one, and the standard error of its logit.
fn average_win(i: usize, strengths: &[f64], covariance: &[Vec<f64>]) -> (f64, f64) {
    let others = (strengths.len() - 1) as f64;
    let mut rate = 0.0;
    let mut gradient = vec![0.0; strengths.len()];
    for j in (0..strengths.len()).filter(|j| *j != i) {
        let win = logistic(strengths[i] - strengths[j]);
        rate += win / others;
        let slope = win * (1.0 - win) / others;
        gradient[i] += slope;
        gradient[j] -= slope;
    }
    let product = |row: &Vec<f64>| row.iter().zip(&gradient).map(|(a, b)| a * b).sum::<f64>();
    let variance: f64 = covariance.iter().zip(&gradient).map(|(row, slope)| slope * product(row)).sum();
    (rate, variance.max(0.0).sqrt() / (rate * (1.0 - rate)))
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The inverse of a symmetric, positive definite matrix, by Gauss and Jordan. Such a matrix needs no pivoting.
fn inverse(mut matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let count = matrix.len();
    for (i, row) in matrix.iter_mut().enumerate() {
        row.extend((0..count).map(|j| if i == j { 1.0 } else { 0.0 }));
    }
    for i in 0..count {
        let pivot = matrix[i][i];
        matrix[i].iter_mut().for_each(|cell| *cell /= pivot);
        let row = matrix[i].clone();
        for (j, other) in matrix.iter_mut().enumerate() {
            let factor = other[i];
            if j != i && factor != 0.0 {
                other.iter_mut().zip(&row).for_each(|(cell, own)| *cell -= factor * own);
            }
        }
    }
    matrix.iter_mut().for_each(|row| drop(row.drain(..count)));
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, by: f64) {
        assert!((found - expected).abs() < by, "{found} instead of {expected}");
    }

    /// The choices of games between two, of which `wins[i][j]` were won by i against j.
    fn games<const N: usize>(wins: [[usize; N]; N]) -> Vec<Choice> {
        let pairs = (0..N).flat_map(|i| (0..N).map(move |j| (i, j)));
        let won =
            |(i, j): (usize, usize)| std::iter::repeat_n(Choice { among: vec![i, j], chosen: vec![i] }, wins[i][j]);
        pairs.flat_map(won).collect()
    }

    /// The American League East of 1987: Milwaukee, Detroit, Toronto, New York, Boston, Cleveland, Baltimore (Agresti, A.
    /// (2002): Categorical Data Analysis, table 10.10).
    const BASEBALL: [[usize; 7]; 7] = [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ];

    #[test]
    fn a_published_season_of_baseball_has_its_published_strengths() {
        let found = fit(7, &games(BASEBALL), 0.0);
        // As BradleyTerry2 for R prints them, each with its standard error, against Baltimore.
        let published = [
            (1.5814, 0.3433),
            (1.4364, 0.3396),
            (1.2945, 0.3367),
            (1.2476, 0.3359),
            (1.1077, 0.3339),
            (0.6839, 0.3319),
        ];
        for (i, (strength, error)) in published.into_iter().enumerate() {
            close(found.strengths[i] - found.strengths[6], strength, 5e-5);
            let cov = &found.covariance;
            close((cov[i][i] + cov[6][6] - 2.0 * cov[i][6]).sqrt(), error, 5e-5);
        }
    }

    #[test]
    fn two_players_have_the_odds_of_their_games() {
        let found = fit(2, &games([[0, 12], [4, 0]]), 0.0);
        close(found.strengths[0] - found.strengths[1], 3.0_f64.ln(), 1e-9);
        // The variance of a logit is 1/12 + 1/4.
        let (rate, error) = average_win(0, &found.strengths, &found.covariance);
        close(rate, 0.75, 1e-9);
        close(error, (1.0_f64 / 12.0 + 0.25).sqrt(), 1e-9);
    }

    #[test]
    fn of_three_each_has_its_share_of_the_choices() {
        let choose =
            |player: usize, times| std::iter::repeat_n(Choice { among: vec![0, 1, 2], chosen: vec![player] }, times);
        let choices: Vec<Choice> = choose(0, 12).chain(choose(1, 6)).chain(choose(2, 2)).collect();
        let found = fit(3, &choices, 0.0);
        close(found.strengths[0] - found.strengths[1], 2.0_f64.ln(), 1e-9);
        close(found.strengths[1] - found.strengths[2], 3.0_f64.ln(), 1e-9);
        // The variance of the logarithm of a ratio of two multinomial counts.
        let cov = &found.covariance;
        close(cov[0][0] + cov[2][2] - 2.0 * cov[0][2], 1.0 / 12.0 + 1.0 / 2.0, 1e-9);
    }

    #[test]
    fn who_wins_always_or_meets_nobody_has_a_finite_strength() {
        let sure = ratings(2, &games([[0, 10], [0, 0]]));
        assert!(sure[0].strength > 1.0 && sure[0].strength < 5.0, "{sure:?}");
        assert!(sure[0].win_rate_interval.low > 0.5 && sure[0].win_rate_interval.high < 1.0, "{sure:?}");
        // Two pairs that never met: nothing is known between them.
        let apart = ratings(4, &games([[0, 3, 0, 0], [3, 0, 0, 0], [0, 0, 0, 3], [0, 0, 3, 0]]));
        for rating in apart {
            close(rating.win_rate, 0.5, 1e-9);
            assert!(rating.strength_interval.low < -1.0, "{rating:?}");
        }
        assert!(ratings(0, &[]).is_empty() && ratings(1, &[]).is_empty());
    }

    #[test]
    fn a_tie_is_a_part_of_a_win_for_each() {
        let tie = Choice { among: vec![0, 1], chosen: vec![0, 1] };
        let rated = ratings(2, &vec![tie; 5]);
        close(rated[0].strength, 0.0, 1e-9);
        close(rated[1].win_rate, 0.5, 1e-9);
        // Two ties and a win are two wins of three.
        let mut choices = games([[0, 1], [0, 0]]);
        choices.extend(vec![Choice { among: vec![0, 1], chosen: vec![0, 1] }; 2]);
        let found = fit(2, &choices, 0.0);
        close(found.strengths[0] - found.strengths[1], 2.0_f64.ln(), 1e-9);
    }

    /// The player who is chosen by chance.
    fn draw(among: &[usize], truth: &[f64], random: &mut fastrand::Rng) -> usize {
        let all: f64 = among.iter().map(|i| truth[*i].exp()).sum();
        let mut at = random.f64() * all;
        let chosen = among.iter().copied().find(|i| {
            at -= truth[*i].exp();
            at < 0.0
        });
        chosen.unwrap_or(among[0])
    }

    #[test]
    fn the_intervals_hold_the_true_values_as_often_as_they_say() {
        let truth = [0.9, 0.2, -0.3, -0.8];
        let mut random = fastrand::Rng::with_seed(7);
        for (votes, size) in [(20, 2), (20, 3), (60, 2), (100, 3), (300, 2)] {
            let rounds = 400;
            let (mut strength, mut rate) = (0, 0);
            for _ in 0..rounds {
                let mut vote = || {
                    let mut among: Vec<usize> = (0..truth.len()).collect();
                    random.shuffle(&mut among);
                    among.truncate(size);
                    Choice { chosen: vec![draw(&among, &truth, &mut random)], among }
                };
                let choices: Vec<Choice> = (0..votes).map(|_| vote()).collect();
                for (i, rating) in ratings(truth.len(), &choices).iter().enumerate() {
                    let holds = |interval: Interval, value: f64| interval.low <= value && value <= interval.high;
                    strength += usize::from(holds(rating.strength_interval, truth[i]));
                    let (true_rate, _) = average_win(i, &truth, &vec![vec![0.0; 4]; 4]);
                    rate += usize::from(holds(rating.win_rate_interval, true_rate));
                }
            }
            for (what, count) in [("strength", strength), ("win rate", rate)] {
                let share = f64::from(count as u32) / f64::from(4 * rounds);
                assert!((0.93..=0.99).contains(&share), "{what} after {votes} votes among {size}: {share}");
            }
        }
    }
}
