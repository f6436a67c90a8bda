//! `interlingua demo`.
