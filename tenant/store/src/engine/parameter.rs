//! Values that statements are given.

use uuid::Uuid;

/// The value of a parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Parameter<'v> {
    /// NULL.
    Null,
    /// An integer. A truth value is 0 or 1.
    Integer(i64),
    /// A text.
    Text(&'v str),
    /// Octets.
    Octets(&'v [u8]),
    /// A number that no column can hold.
    TooLarge,
}

/// What a statement can be given.
pub(crate) trait ToParameter {
    /// The value.
    fn to_parameter(&self) -> Parameter<'_>;
}

macro_rules! integers {
    ($($integer:ty),*) => {
        $(impl ToParameter for $integer {
            fn to_parameter(&self) -> Parameter<'_> {
                i64::try_from(*self).map_or(Parameter::TooLarge, Parameter::Integer)
            }
        })*
    };
}

integers!(i64, i32, u64, u32, u16, u8, usize);

impl ToParameter for bool {
    fn to_parameter(&self) -> Parameter<'_> {
        Parameter::Integer(i64::from(*self))
    }
}

impl ToParameter for str {
    fn to_parameter(&self) -> Parameter<'_> {
        Parameter::Text(self)
    }
}

impl ToParameter for String {
    fn to_parameter(&self) -> Parameter<'_> {
        Parameter::Text(self)
    }
}

impl ToParameter for [u8] {
    fn to_parameter(&self) -> Parameter<'_> {
        Parameter::Octets(self)
    }
}

impl<const N: usize> ToParameter for [u8; N] {
    fn to_parameter(&self) -> Parameter<'_> {
        Parameter::Octets(self)
    }
}

impl ToParameter for Vec<u8> {
    fn to_parameter(&self) -> Parameter<'_> {
        Parameter::Octets(self)
    }
}

impl ToParameter for Uuid {
    fn to_parameter(&self) -> Parameter<'_> {
        Parameter::Octets(self.as_bytes())
    }
}

impl<T: ToParameter> ToParameter for Option<T> {
    fn to_parameter(&self) -> Parameter<'_> {
        self.as_ref().map_or(Parameter::Null, T::to_parameter)
    }
}

impl<T: ToParameter + ?Sized> ToParameter for &T {
    fn to_parameter(&self) -> Parameter<'_> {
        (**self).to_parameter()
    }
}

/// The parameters of a statement, `?1` first.
pub(crate) trait Parameters {
    /// Calls `each` with every one.
    fn each(&self, each: &mut dyn FnMut(Parameter<'_>));
}

impl Parameters for () {
    fn each(&self, _: &mut dyn FnMut(Parameter<'_>)) {}
}

impl<T: ToParameter, const N: usize> Parameters for [T; N] {
    fn each(&self, each: &mut dyn FnMut(Parameter<'_>)) {
        self.iter().for_each(|one| each(one.to_parameter()));
    }
}

impl Parameters for &[&dyn ToParameter] {
    fn each(&self, each: &mut dyn FnMut(Parameter<'_>)) {
        self.iter().for_each(|one| each(one.to_parameter()));
    }
}

macro_rules! tuples {
    ($(($($name:ident: $place:tt),*)),*) => {
        $(impl<$($name: ToParameter),*> Parameters for ($($name,)*) {
            fn each(&self, each: &mut dyn FnMut(Parameter<'_>)) {
                $(each(self.$place.to_parameter());)*
            }
        })*
    };
}

tuples!(
    (A: 0, B: 1),
    (A: 0, B: 1, C: 2),
    (A: 0, B: 1, C: 2, D: 3),
    (A: 0, B: 1, C: 2, D: 3, E: 4),
    (A: 0, B: 1, C: 2, D: 3, E: 4, F: 5),
    (A: 0, B: 1, C: 2, D: 3, E: 4, F: 5, G: 6),
    (A: 0, B: 1, C: 2, D: 3, E: 4, F: 5, G: 6, H: 7),
    (A: 0, B: 1, C: 2, D: 3, E: 4, F: 5, G: 6, H: 7, I: 8),
    (A: 0, B: 1, C: 2, D: 3, E: 4, F: 5, G: 6, H: 7, I: 8, J: 9)
);

/// Parameters of different types.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$(&$value as &dyn $crate::engine::parameter::ToParameter),*] as &[&dyn $crate::engine::parameter::ToParameter]
    };
}
pub(crate) use params;
