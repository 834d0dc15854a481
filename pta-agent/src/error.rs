//! What stops the agent, who must act, the exit status.
