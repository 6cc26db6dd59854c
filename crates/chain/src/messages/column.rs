//! One number a message, in no room at all while the numbers are alike or consecutive.

/// Numbers of a column: `u32` or `u64`.
pub(super) trait Number: Copy + PartialEq + Into<u64> {
    fn plus(self, steps: usize) -> Option<Self>;
}

impl Number for u32 {
    fn plus(self, steps: usize) -> Option<Self> {
        self.checked_add(u32::try_from(steps).ok()?)
    }
}

impl Number for u64 {
    fn plus(self, steps: usize) -> Option<Self> {
        self.checked_add(steps as u64)
    }
}

/// How many numbers it has is known to the table, once for all its columns.
#[derive(Clone, Debug)]
pub(super) enum Column<T> {
    Same(T),
    /// This number and those that follow it.
    Run(T),
    Each(Vec<T>),
}

impl<T: Number + Default> Default for Column<T> {
    fn default() -> Self {
        Self::Same(T::default())
    }
}

impl<T: Number> Column<T> {
    /// Adds a number behind the `length` that there are.
    #[inline]
    pub(super) fn push(&mut self, length: usize, value: T) {
        match self {
            Self::Each(values) => return values.push(value),
            Self::Same(_) if length == 0 => return *self = Self::Same(value),
            Self::Same(same) if *same == value => return,
            Self::Same(first) if length == 1 && first.plus(1) == Some(value) => {
                return *self = Self::Run(*first);
            }
            Self::Run(first) if first.plus(length) == Some(value) => return,
            Self::Same(_) | Self::Run(_) => {}
        }
        self.spread(length, value);
    }

    #[cold]
    fn spread(&mut self, length: usize, value: T) {
        let mut values = Vec::with_capacity((length + 1).next_power_of_two());
        values.extend((0..length).map(|index| self.get(index)));
        values.push(value);
        *self = Self::Each(values);
    }

    /// The number of a message that there is.
    #[inline]
    pub(super) fn get(&self, index: usize) -> T {
        match self {
            Self::Same(value) => *value,
            Self::Run(first) => first.plus(index).unwrap_or(*first),
            Self::Each(values) => values[index],
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Each(values) => values.capacity() * size_of::<T>(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(values: &[u64]) -> Column<u64> {
        let mut column = Column::default();
        for (length, &value) in values.iter().enumerate() {
            column.push(length, value);
        }
        column
    }

    #[test]
    fn alike_and_consecutive_numbers_take_no_room() {
        assert!(matches!(filled(&[7; 1000]), Column::Same(7)));
        assert!(matches!(
            filled(&(7..1000).collect::<Vec<_>>()),
            Column::Run(7)
        ));
        assert_eq!(filled(&(7..1000).collect::<Vec<_>>()).memory_bytes(), 0);
    }

    #[test]
    fn a_run_ends_at_the_greatest_number() {
        let values = [u64::MAX - 1, u64::MAX, 0, 1];
        let column = filled(&values);
        assert_eq!(
            (0..4).map(|index| column.get(index)).collect::<Vec<_>>(),
            values
        );
    }

    proptest! {
        #[test]
        fn what_was_pushed_is_there(
            (first, same, run) in (0u64..4, 0usize..5, 0u64..5),
            rest in prop::collection::vec(0u64..4, 0..5),
        ) {
            let mut values = vec![first; same];
            values.extend(first..first + run);
            values.extend(rest);
            let column = filled(&values);
            let read: Vec<_> = (0..values.len()).map(|index| column.get(index)).collect();
            prop_assert_eq!(read, values);
        }
    }
}
