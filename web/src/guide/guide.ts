// The user's guide, a script of its own: it is fetched after the app and kept with it.
export { en } from './en'
export { vi } from './vi'
