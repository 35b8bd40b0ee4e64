//! Every page and action in a real browser; `tests/browser/README.md` says which test does what.

mod support {
    pub mod browser;
    pub mod serve;
}

mod browser {
    mod chrome;
    mod playground;
    mod scenarios;
    mod services;
    mod status;
}
