package launch

const socketPathSize = 108
