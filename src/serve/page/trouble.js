// What both simulators behind the page throw.

/** Why there is no answer: `gone` where the simulator cannot be had, else what was found and what is allowed. */
export class Trouble extends Error {
  constructor(message, { allowed = null, gone = false } = {}) {
    super(message);
    this.allowed = allowed;
    this.gone = gone;
  }
}
