//! Lists that are kept by category and used as one.

/// A part of a list, under the heading that it has on its reference page.
#[derive(Clone, Copy, Debug)]
pub struct Category<T: 'static> {
    /// The heading.
    pub title: &'static str,
    /// The entries, in the order of the page.
    pub entries: &'static [T],
}

/// How many entries all categories have.
pub(crate) const fn count<T>(categories: &[Category<T>]) -> usize {
    let (mut count, mut category) = (0, 0);
    while category < categories.len() {
        count += categories[category].entries.len();
        category += 1;
    }
    count
}

/// All entries, category by category; `N` is their [`count`].
pub(crate) const fn join<T: Copy, const N: usize>(categories: &[Category<T>]) -> [T; N] {
    let mut all = [categories[0].entries[0]; N];
    let (mut index, mut category) = (0, 0);
    while category < categories.len() {
        let entries = categories[category].entries;
        let mut one = 0;
        while one < entries.len() {
            all[index] = entries[one];
            index += 1;
            one += 1;
        }
        category += 1;
    }
    all
}
