// What whoever looks may do: the server says it, and refuses the rest.

/** Pause and test cameras. */
export const mayOperate = (session) => session.may.includes("operator");
/** Put one model in the place of another, test a bridge: what concerns every camera. */
export const mayOperateAll = (session) => mayOperate(session) && seesAll(session);
/** Add, change and remove cameras. */
export const mayChange = (session) => session.may.includes("admin");
/** Whether every camera exists for them. */
export const seesAll = (session) => session.cameras.includes("*");
