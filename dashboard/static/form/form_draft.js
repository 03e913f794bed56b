// What was typed to add a camera and not yet added: closing the dialogue loses nothing. A new login does.

export const draft = { values: null };
