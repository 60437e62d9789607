pub mod platforms;
