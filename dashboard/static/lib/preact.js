// The vendored library under one name: an upgrade changes this file alone.
export * from "../vendor/htm-preact-3.1.1.js";
