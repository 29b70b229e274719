import './app'
import { keepFocus } from './focus'
import { loaded } from './loading'
import { setLang, lang } from './text'
import { register } from './update'

setLang(lang())
keepFocus()
void register(loaded)
