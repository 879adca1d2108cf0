/** Status of a child that cannot get its port: starting it again would not help. */
export const EXIT_CANNOT_LISTEN = 77;
