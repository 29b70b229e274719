import './app'
import { setLang, lang } from './text'
import { register } from './update'

setLang(lang())
register()
